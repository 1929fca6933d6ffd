"""What a table looks like, for a person who says what its columns mean."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medmodel.core.errors import DataError
from medmodel.data.layouts.layout_choice import TableReading
from medmodel.data.layouts.split_names import splits_of
from medmodel.data.tables import table_text
from medmodel.data.tables.manifest import ManifestRow
from medmodel.data.tables.table_layout import FileLookup

_LOOKED_INTO = 200
"""Rows by which a column is guessed."""
MOST_WORDS = 30
"""Different words above which a column names no splits."""
_MOST_CLASSES = 50


@dataclass(frozen=True)
class TablePreview:
    """The beginning of a table and what it may mean.

    Args:
        path: Inside the data set.
        header: Names of its columns.
        rows: Some of its rows, each as long as the header.
        words: Column with few different words -> word -> number of rows.
        reading: What was chosen, or a guess by the values: `file` is "" where no
            column names files that are here.
        shared: Columns of which a value stands in two rows on average, at least.
    """

    path: str
    header: list[str]
    rows: list[list[str]]
    words: Mapping[str, Mapping[str, int]]
    reading: TableReading
    shared: Collection[str]


def preview_table(
    folder: Path, path: str, paths: Sequence[str], reading: TableReading | None = None
) -> TablePreview | None:
    """The preview of one table; None if it cannot be read as one.

    Args:
        folder: The data set's.
        path: The table's.
        paths: All files of the data set.
        reading: What a person said that it means, if somebody has.
    """
    try:
        _, encoding = table_text.read_head(folder, folder / path)
        text = table_text.read_text(folder, folder / path, encoding)
        separator = table_text.best_separator(text[: table_text.HEAD])
        header, *rows = table_text.rows(text, separator)
    except (DataError, OSError, csv.Error, ValueError):
        return None
    width = len(header)
    rows = [(row + [""] * width)[:width] for row in rows]
    words = {
        name: dict(counts.most_common())
        for at, name in enumerate(header)
        if len(counts := Counter(row[at] for row in rows)) <= MOST_WORDS
    }
    reading = reading or _guess(header, rows[:_LOOKED_INTO], path, paths)
    if not reading.splits:
        reading = replace(reading, splits=splits_of(words.get(reading.split, {})))
    shared = {name for name, counts in words.items() if 2 * len(counts) <= len(rows)}
    return TablePreview(path, header, rows[:5], words, reading, shared)


def guess_reading(folder: Path, path: str, paths: Sequence[str]) -> TableReading:
    """What a table's first rows suggest; without `file` if it names none that is here.

    Args:
        folder: The data set's.
        path: The table's.
        paths: All files of the data set.
    """
    try:
        text, _ = table_text.read_head(folder, folder / path)
        separator = table_text.best_separator(text)
        header, *rows = itertools.islice(
            table_text.rows(text, separator), _LOOKED_INTO + 1
        )
    except (DataError, OSError, csv.Error, ValueError):
        return TableReading()
    width = len(header)
    rows = [(row + [""] * width)[:width] for row in rows]
    return _guess(header, rows, path, paths)


def _guess(
    header: list[str], rows: list[list[str]], path: str, paths: Sequence[str]
) -> TableReading:
    lookup = FileLookup(paths)
    base = path.rpartition("/")[0]
    named = {
        name: _named_files([row[at] for row in rows], lookup, base)
        for at, name in enumerate(header)
    }
    file = max(named, key=lambda name: named[name], default="")
    if not named.get(file):
        return TableReading()
    distinct = {
        name: len({row[at] for row in rows} - {""}) for at, name in enumerate(header)
    }
    others = [name for name in header if name != file]
    splits = [name for name in others if _is_split(rows, header.index(name))]
    classes = [
        name
        for name in others
        if name not in splits and 2 <= distinct[name] <= min(_MOST_CLASSES, len(rows))
    ]
    label = min(classes, key=lambda name: distinct[name], default="")
    return TableReading(file, label, split=splits[0] if splits else "")


def _named_files(values: list[str], lookup: FileLookup, base: str) -> int:
    rows = [ManifestRow(value, "", "", "") for value in values if value]
    return len({p for _, p in lookup.match_all(rows, base) if p in lookup.paths})


def _is_split(rows: list[list[str]], at: int) -> bool:
    words = {row[at] for row in rows} - {""}
    return len(words) <= MOST_WORDS and any(splits_of(words).values())
