"""Which column of a table is what: by usual names, or as a person chose.

The first line that names columns is the header; a title or blank lines may stand above
it. A table without a header can only be read as somebody chose.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import DataError
from medmodel.data.language_words import is_language
from medmodel.data.layouts.layout_choice import AmbiguousLayoutError, TableReading
from medmodel.data.layouts.split_names import Role, is_short, splits_of
from medmodel.data.tables import encodings, table_text
from medmodel.data.tables.column_names import (
    flagged_split,
    is_binary,
    known_columns,
    plain_name,
)
from medmodel.language import N_, _

NO_COLUMNS = N_("no table whose first line names file and label")
"""Why a table is left out of which nobody said what its columns mean."""
_KINDS_OF_COLUMN = {
    "file": N_("{column} (file)"),
    "label": N_("{column} (class)"),
    "patient": N_("{column} (patient)"),
    "split": N_("{column} (split)"),
}
_WEAK = {"type", "level", "grade", "condition", "y"}
"""Columns of labels only where no folders are classes."""
_SPLITS = {"set", "fold", "usage", "phase"}
"""Columns of which it is said where their words name no split."""


@dataclass(frozen=True)
class Table:
    """A table, its form and what its columns are.

    Args:
        path: Where it lies.
        encoding: Of its text.
        separator: Between its columns.
        columns: `file`, `label`, `patient`, `split` -> position.
        classes: Columns of 0 and 1, one per class -> position.
        flags: Columns that say whether a row is of a split -> train, val or test.
        split: The split that its own name says, "" if none.
        unused: Further columns that might be labels.
        unknown_split: A column that should be the split and says none that is known.
        weak: The column of the label, if its name may well mean something else.
        header: Names of all columns.
        roles: Word of the split column -> its split, where a person said so.
        rows_above: Rows before the first that is of a file: a title, the header.
        guessed: Whether its encoding is a guess.
        finding_columns: Whether `classes` are findings, of which an image may have
            several or none.
        blank_is_no: Those of them in which nothing else says no.
        finding_separator: Between the findings in the column of the label; "" where
            that is one class.
        chosen: Whether a person said what its columns are.
    """

    path: Path
    encoding: str
    separator: str
    columns: dict[str, int]
    classes: dict[str, int] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    split: str = ""
    unused: tuple[str, ...] = ()
    unknown_split: str = ""
    weak: str = ""
    header: tuple[str, ...] = ()
    roles: Mapping[str, Role] | None = None
    rows_above: int = 1
    guessed: bool = False
    finding_columns: bool = False
    blank_is_no: frozenset[str] = frozenset()
    finding_separator: str = ""
    chosen: bool = False

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.path.name

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several findings, or none."""
        return self.finding_columns or bool(self.finding_separator)

    @property
    def has_labels(self) -> bool:
        """Whether it says the class of a file."""
        return "label" in self.columns or bool(self.classes)

    @property
    def has_splits(self) -> bool:
        """Whether it says the split of a file."""
        return "split" in self.columns or bool(self.flags) or bool(self.split)


def find_columns(
    folder: Path,
    path: Path,
    reading: TableReading | None,
    names: Collection[str] = (),
    ask: bool = True,
) -> Table | str:
    """Form and columns of a table, or why it is none.

    Args:
        folder: The data set's.
        path: The table's.
        reading: What a person said of it, if anybody has.
        names: Of the data set's files, as from `encodings.names_of`.
        ask: Whether an encoding that is not certain is an error; else it is guessed.

    Raises:
        OSError: It cannot be opened.
        DataError: It is no text.
        AmbiguousLayoutError: It lacks a column that was chosen, or its classes depend
            on an encoding that is not certain.
    """
    if reading and not reading.file:
        return _("not used: a person chose so")
    if not reading and re.search(r"(?i)submission", path.name):
        return _("a table of answers to be given, not of labels")
    chosen = reading.encoding if reading else ""
    text, encoding = table_text.read_head(folder, path, chosen, names)
    table = _in_text(path, text, encoding, reading)
    if table is not None and not chosen:
        certain = _certain_encoding(folder, table, names, ask)
        if certain != encoding:
            text, encoding = table_text.read_head(folder, path, certain)
            table = _in_text(path, text, encoding, reading)
    if table is not None:
        guessed = not chosen and encoding in encodings.ENCODINGS
        return replace(table, guessed=guessed)
    if reading:
        raise AmbiguousLayoutError(
            _(
                "{name} lacks a column that was chosen: {columns}.",
                name=path.name,
                columns=_listed(reading),
            ),
            path.relative_to(folder).as_posix(),
        )
    return NO_COLUMNS


def file_column(folder: Path, path: Path) -> str:
    """Name of the first column that names files, whatever the others; "" if none does.

    Raises:
        OSError: It cannot be opened.
        DataError: It is no text.
    """
    text, _encoding = table_text.read_head(folder, path)
    for separator in table_text.separators(path.name):
        try:
            rows = list(itertools.islice(table_text.rows(text, separator), 50))
        except csv.Error:
            continue
        for at in table_text.header_places(rows):
            columns = known_columns(rows[at])[0]
            if "file" in columns:
                return rows[at][columns["file"]]
    return ""


def _in_text(
    path: Path, text: str, encoding: str, reading: TableReading | None
) -> Table | None:
    """The table in a text with the separator that makes most of it; None if in none."""
    tables = []
    for separator in table_text.separators(path.name):
        try:
            rows = list(itertools.islice(table_text.rows(text, separator), 50))
        except csv.Error:
            continue
        form = Form(path, encoding, separator, rows)
        table = _chosen(form, reading) if reading else _by_names(form)
        if table is not None:
            tables.append(table)
    return max(
        tables,
        key=lambda t: (t.has_labels, len(t.columns), len(t.header)),
        default=None,
    )


class Form(NamedTuple):
    """The first rows of a table, if this is its separator."""

    path: Path
    encoding: str
    separator: str
    rows: list[list[str]]


def _certain_encoding(
    folder: Path, table: Table, names: Collection[str], ask: bool
) -> str:
    """The one encoding in which classes and splits of a table can be read.

    Raises:
        DataError: There is none.
        AmbiguousLayoutError: There are several, in which they read otherwise, and
            somebody is to be asked.
    """
    possible = table_text.possible_encodings(folder, table.path, names)
    if possible[0] not in encodings.ENCODINGS:
        return possible[0]
    words = {
        encoding: _words_of_classes(folder, table, encoding) for encoding in possible
    }
    language = {e: w for e, w in words.items() if is_language(w, e)}
    likely = encodings.likely_encodings(language or words)
    different = {tuple(words[encoding]): encoding for encoding in reversed(likely)}
    if not ask or (language and len(different) == 1):
        return likely[0]
    first, *others = (words[encoding] for encoding in reversed(different.values()))
    raise AmbiguousLayoutError(
        _uncertain(table.path.name, first, others),
        table.path.relative_to(folder).as_posix(),
    )


def _uncertain(name: str, words: list[str], others: list[list[str]]) -> str:
    """What to say of a table whose encoding is not certain."""
    if not others:
        return _(
            "{name} does not say its encoding, and a class would be called {word!r} in "
            "the likeliest. Save it as CSV in UTF-8.",
            name=name,
            word=words[0],
        )
    at = next(i for i, word in enumerate(words) if word != others[0][i])
    return _(
        "{name} does not say its encoding: a class may be called {first!r} or "
        "{second!r}, for instance. Save it as CSV in UTF-8.",
        name=name,
        first=words[at],
        second=others[0][at],
    )


def _words_of_classes(folder: Path, table: Table, encoding: str) -> list[str]:
    """What names classes and splits, beyond ASCII, each once."""
    wanted = [table.columns[k] for k in ("label", "split") if k in table.columns]
    text = table_text.read_text(folder, table.path, encoding)
    rows = list(table_text.rows(text, table.separator))
    header = rows[table.rows_above - 1] if table.rows_above else []
    words = [header[at] for at in table.classes.values() if at < len(header)]
    words += [
        row[at] for row in rows[table.rows_above :] for at in wanted if at < len(row)
    ]
    return [word for word in dict.fromkeys(words) if not word.isascii()]


def _listed(reading: TableReading) -> str:
    chosen = {kind: getattr(reading, kind) for kind in _KINDS_OF_COLUMN}
    columns = [
        _(_KINDS_OF_COLUMN[kind], column=name) for kind, name in chosen.items() if name
    ]
    findings = [_("{column} (finding)", column=name) for name in reading.findings]
    return _(", ").join([*columns, *findings])


def _chosen(form: Form, reading: TableReading) -> Table | None:
    """The table with the columns that a person chose; None if one is not there."""
    names = {kind: getattr(reading, kind) for kind in _KINDS_OF_COLUMN}
    names = {kind: name for kind, name in names.items() if name}
    wanted = {*names.values(), *reading.findings}
    width = max(map(len, form.rows), default=0)
    headers = {at + 1: form.rows[at] for at in table_text.header_places(form.rows)}
    for rows_above, header in {**headers, 0: table_text.numbered(width)}.items():
        columns = {k: header.index(name) for k, name in names.items() if name in header}
        if wanted <= set(header):
            return Table(
                form.path,
                form.encoding,
                form.separator,
                columns,
                header=tuple(header),
                roles=reading.splits if reading.split else None,
                rows_above=rows_above,
                classes={name: header.index(name) for name in reading.findings},
                finding_columns=bool(reading.findings),
                finding_separator=reading.finding_separator if reading.label else "",
                chosen=True,
            )
    return None


def _by_names(form: Form) -> Table | None:
    """The table whose header is the first that says what is what."""
    for at in table_text.header_places(form.rows):
        table = _as_table(form, at)
        if table is not None:
            return table
    return None


def _as_table(form: Form, at: int) -> Table | None:
    rows = form.rows[at:]
    header = rows[0]
    columns, candidates = known_columns(header)
    if "file" not in columns:
        return None
    maybe = columns.pop("maybe split", None)
    if maybe is not None:
        values = {row[maybe].strip() for row in rows[1:] if maybe < len(row)}
        if any(splits_of(values).values()):
            columns.setdefault("split", maybe)
            maybe = None
    binary = [
        n
        for n in range(len(header))
        if n not in columns.values() and is_binary(rows, n)
    ]
    flags = {n: split for n in binary if (split := flagged_split(header[n]))}
    if len(flags) == 1 or len(flags) < len(binary):
        # Beside other findings TR is one, too.
        flags = {n: s for n, s in flags.items() if not is_short(header[n])}
    classes = {header[n]: n for n in binary if n not in flags}
    if "label" in columns or len(classes) < 2:
        classes = {}
    if not (classes or flags or {"label", "patient", "split"} & set(columns)):
        return None
    label = header[columns["label"]] if "label" in columns else ""
    _check_one_label(form, header, label, rows[1:])
    plain = plain_name(header[maybe]) if maybe is not None else ""
    return Table(
        form.path,
        form.encoding,
        form.separator,
        columns,
        classes,
        flags,
        unused=candidates[1:],
        unknown_split=header[maybe] if maybe is not None and plain in _SPLITS else "",
        weak=label if label.casefold() in _WEAK else "",
        header=tuple(header),
        rows_above=at + 1,
    )


def _check_one_label(
    form: Form, header: list[str], label: str, rows: list[list[str]]
) -> None:
    """Raises `DataError` where columns of the label's name say different things."""
    plain = plain_name(label)
    named = [n for n, name in enumerate(header) if label and plain_name(name) == plain]
    said = [[row[n] if n < len(row) else "" for row in rows] for n in named]
    if any(column != said[0] for column in said[1:]):
        raise DataError(
            _(
                "{name} has {count} columns called {column!r}, which differ: keep one.",
                name=form.path.name,
                count=len(named),
                column=label,
            )
        )
