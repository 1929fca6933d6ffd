"""Lists of file names, train.txt and test.txt: which file is in which split.

A list has no header and one name in a line. Lists count where there are some of two
splits at least, one of them for training; else who is in none would be left out.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

from medmodel.core.errors import DataError
from medmodel.data.layouts.split_names import splits_of
from medmodel.data.tables import table_text
from medmodel.data.tables.columns import Table
from medmodel.data.tables.table_layout import FileLookup
from medmodel.data.tables.table_lines import ManifestRow
from medmodel.language import N_

_LOOKED_INTO = 200
"""Lines by which a list is told from other texts."""
_LEAST_NAMED = 0.9
"""Share of the lines that name files which are here."""


UNUSED = N_("a list of files that is not used: it needs one of another split beside it")


def find_lists(
    folder: Path, paths: Sequence[str], candidates: Sequence[str]
) -> tuple[list[Table], list[str]]:
    """The lists among some files, as tables of one column, and those not used.

    Args:
        folder: The data set's.
        paths: Its files, relative.
        candidates: Those of them that may be lists.
    """
    splits = splits_of(Path(path).stem for path in candidates)
    lookup = FileLookup([path for path in paths if path not in candidates])
    lists = {
        path: Table(
            folder / path,
            encoding,
            ",",
            {"file": 0},
            split=splits[Path(path).stem],
            header=tuple(table_text.numbered(1)),
            rows_above=0,
        )
        for path in candidates
        if splits[Path(path).stem]
        if (encoding := _encoding_of_list(folder, path, lookup))
    }
    if {"train"} < {each.split for each in lists.values()}:
        return list(lists.values()), []
    return [], list(lists)


def _encoding_of_list(folder: Path, path: str, lookup: FileLookup) -> str:
    """The encoding of a text whose lines name files; "" of others."""
    try:
        text, encoding = table_text.read_head(folder, folder / path)
        lines = list(itertools.islice(table_text.rows(text, ","), _LOOKED_INTO))
    except (DataError, OSError, csv.Error):
        return ""
    if not lines or any(len(cells) > 1 for cells in lines):
        return ""
    rows = [ManifestRow(cells[0], "", "", "") for cells in lines]
    base = path.rpartition("/")[0]
    named = sum(match in lookup.paths for _, match in lookup.match_all(rows, base))
    return encoding if named >= _LEAST_NAMED * len(rows) else ""
