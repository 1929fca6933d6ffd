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
from medmodel.data.tables import encodings, table_text
from medmodel.data.tables.finding_columns import is_finding_column
from medmodel.data.tables.table_layout import FileLookup
from medmodel.data.tables.table_lines import ManifestRow

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
        encoding: In which it is shown.
        encodings: Those that it may have, the likeliest first -> some of its words
            beyond ASCII; empty where the file says its encoding.
    """

    path: str
    header: list[str]
    rows: list[list[str]]
    words: Mapping[str, Mapping[str, int]]
    reading: TableReading
    shared: Collection[str]
    encoding: str
    encodings: Mapping[str, list[str]]


def preview_table(
    folder: Path,
    path: str,
    paths: Sequence[str],
    reading: TableReading | None = None,
    encoding: str = "",
) -> TablePreview | None:
    """The preview of one table; None if it cannot be read as one.

    Args:
        folder: The data set's.
        path: The table's.
        paths: All files of the data set.
        reading: What a person said that it means, if somebody has.
        encoding: In which it is to be shown; "" for that of the reading, else the
            likeliest.
    """
    encoding = encoding or (reading.encoding if reading else "")
    try:
        if not encoding:
            names = encodings.names_of(paths)
            encoding = table_text.possible_encodings(folder, folder / path, names)[0]
        text = table_text.read_text(folder, folder / path, encoding)
        words = table_text.decoded_cells(folder, folder / path)
        header, rows = _table(text, path, paths)
    except (DataError, OSError, csv.Error, LookupError):
        return None
    counted = {
        name: dict(counts.most_common())
        for at, name in enumerate(header)
        if len(counts := Counter(row[at] for row in rows)) <= MOST_WORDS
    }
    said = {reading.file, reading.label, *reading.findings} if reading else set()
    if reading is None or not said <= {"", *header}:
        reading = _guess(header, rows[:_LOOKED_INTO], path, paths)
    if not reading.splits:
        reading = replace(reading, splits=splits_of(counted.get(reading.split, {})))
    shared = {name for name, counts in counted.items() if 2 * len(counts) <= len(rows)}
    return TablePreview(
        path, header, rows[:5], counted, reading, shared, encoding, words
    )


def guess_reading(folder: Path, path: str, paths: Sequence[str]) -> TableReading:
    """What a table's first rows suggest; without `file` if it names none that is here.

    Args:
        folder: The data set's.
        path: The table's.
        paths: All files of the data set.
    """
    try:
        text, _ = table_text.read_head(folder, folder / path)
        header, rows = _table(text, path, paths, _LOOKED_INTO)
    except (DataError, OSError, csv.Error, LookupError):
        return TableReading()
    return _guess(header, rows, path, paths)


def _table(
    text: str, path: str, paths: Sequence[str], most: int | None = None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table's text; columns without a header have numbers.

    Raises:
        csv.Error: It is no table.
        LookupError: It has no rows.
    """
    separator = table_text.best_separator(text[: table_text.HEAD], path)
    table = list(itertools.islice(table_text.rows(text, separator), most))
    at = table_text.header_place(table)
    width = max(len(row) for row in table[at : at + _LOOKED_INTO])
    table = [(row + [""] * width)[:width] for row in table]
    lookup = FileLookup([name for name in paths if name != path])
    if _named_files(table[at], lookup, path.rpartition("/")[0]):
        return table_text.numbered(width), table[at:]
    return table[at], table[at + 1 :]


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
    findings = tuple(
        name
        for name in others
        if name not in splits
        and is_finding_column(row[header.index(name)] for row in rows)
    )
    if len(findings) > 1:
        split = splits[0] if splits else ""
        return TableReading(file, findings=findings, split=split)
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
