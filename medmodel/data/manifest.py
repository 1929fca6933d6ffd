"""Data sets that a table describes: file, label and, if known, patient and split.

A CSV file at the top of a folder whose first line names the columns `file` and `label`
tells everything; the folders then mean nothing. Separators are comma, semicolon or tab.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import DataError

MOST_BYTES = 200_000_000
_MOST_TABLES = 20
"""Files that are looked into; a data set has one."""


class ManifestRow(NamedTuple):
    """One line of the table, as it stands there."""

    file: str
    label: str
    patient: str
    split: str


def find_table(folder: Path) -> Path | None:
    """The CSV file that describes a folder; None if there is none."""
    tables = sorted(p for p in folder.glob("*.[cC][sS][vV]") if p.is_file())
    for path in tables[:_MOST_TABLES]:
        if not path.name.startswith(".") and not path.is_symlink() and _columns(path):
            return path
    return None


def read_table(path: Path) -> Iterator[ManifestRow]:
    """The lines of a table, without those that name no file or no label.

    Raises:
        DataError: It is too large, or not text.
    """
    columns = _columns(path)
    assert columns is not None
    separator, positions = columns
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path.name} is larger than {MOST_BYTES // 10**6} MB.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=separator)
            next(lines)
            for line in lines:
                values = {
                    name: unicodedata.normalize("NFC", line[at].strip())
                    for name, at in positions.items()
                    if at < len(line)
                }
                row = ManifestRow(
                    *(values.get(name, "") for name in ManifestRow._fields)
                )
                if row.file and row.label:
                    yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} is no table: save it as CSV in UTF-8.") from error


def _columns(path: Path) -> tuple[str, dict[str, int]] | None:
    """Separator and the position of each known column; None without file and label."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096).decode("utf-8-sig", "replace")
    except OSError:
        return None
    for separator in ",;\t":
        names = [n.strip().strip('"').casefold() for n in first.split(separator)]
        if "file" in names and "label" in names:
            return separator, {
                n: names.index(n) for n in ManifestRow._fields if n in names
            }
    return None
