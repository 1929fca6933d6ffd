"""Cells of a table that may be growing, line by line, without the cost of pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from medmodel.core.regular_files import open_regular
from medmodel.core.storage import damaged, unreadable
from medmodel.language import _

_LONGEST_LINE = 1 << 20
"""In characters: no line of ours comes near, of a damaged file one may be all of it."""


def read_header(path: Path) -> list[str]:
    """The first line's cells; empty if there is no file."""
    return next(_lines(path), [])


def read_cells(path: Path, *names: str) -> Iterator[list[str]]:
    """Text of the named columns of every whole line, without the cost of pandas.

    Nothing if there is no file, or none of its columns has one of the names. Lines
    that are being written are left out.

    Raises:
        FileError: The file cannot be read, or is no table.
    """
    lines = _lines(path)
    header = next(lines, [])
    if not set(names) <= set(header):
        return
    positions = [header.index(name) for name in names]
    for cells in lines:
        if len(cells) == len(header):
            yield [cells[position] for position in positions]


def _short_lines(file: IO[str]) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(_("a line is too long"))
        yield line


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as file:
            yield from csv.reader(_short_lines(file))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise damaged(path, _("it is no table")) from error
