"""Tables that describe a data set: file, label and, if known, patient and split.

A CSV file in the folder or in its first folders whose header names a column for the
files, under any of the usual names, and one for labels, patients or splits; or any
columns that a person chose, see `columns`. Separators are comma, semicolon, tab or bar,
in .txt blanks, too; for encodings see `encodings`, for workbooks `workbook`. Several
tables (train.csv and test.csv) count together. Labels may also be one column of 0 and 1
per class, or several findings per file, see `finding_columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medmodel.core.errors import DataError, os_reason
from medmodel.data.layouts.layout_choice import AmbiguousLayoutError, TableReading
from medmodel.data.layouts.listing import NOT_AN_IMAGE
from medmodel.data.layouts.split_names import splits_of
from medmodel.data.tables import encodings, table_text
from medmodel.data.tables.column_names import kind_of_column
from medmodel.data.tables.columns import NO_COLUMNS, Table, find_columns
from medmodel.data.tables.finding_columns import of_columns, with_findings
from medmodel.data.tables.split_questions import check_splits, may_be_splits
from medmodel.data.tables.table_lines import MISSING, lines_below_header
from medmodel.data.tables.workbook import WORKBOOKS
from medmodel.language import _

_MOST_TABLES = 20
"""Files that are looked into; a data set has one or a few."""
SUFFIXES = (".csv", ".tsv", ".tab", ".psv", *WORKBOOKS)
_MOST_SPLITS = 12
"""Different words of a column that may be one of splits."""
TEXT = ".txt"
"""A table, too, where it looks like one."""
SAMPLE_TRUTH = "truth.csv"
"""Where the lesions of the sample data set are; its file names tell its patients."""


def find_tables(
    folder: Path,
    paths: Sequence[str],
    readings: Mapping[str, TableReading] = {},
    ask: bool = True,
) -> tuple[list[Table], list[tuple[str, str]]]:
    """The tables of a folder that say something of its files.

    Args:
        folder: The data set's.
        paths: Its files, relative; tables are looked for up to two folders deep.
        readings: Path of a table -> what a person said that its columns mean.
        ask: Whether an encoding that is not certain is an error; else it is guessed.

    Returns:
        The tables, and (path, reason) of those that are none or are not used.

    Raises:
        AmbiguousLayoutError: A table has changed since a person said what it means, its
            encoding is not certain, or what looks like a split may be something else.
    """
    tables: list[Table] = []
    others: list[tuple[str, str]] = []
    names = encodings.names_of(paths)
    for path in possible_tables(paths):
        reading = readings.get(path)
        try:
            table = find_columns(folder, folder / path, reading, names, ask)
            others += [(path, words) for words in _unread_sheets(folder, path)]
        except OSError as error:
            others.append(
                (path, _("cannot be opened: {reason}", reason=os_reason(error)))
            )
        except AmbiguousLayoutError:
            raise
        except DataError as error:
            reason = NOT_AN_IMAGE if is_text(path) else str(error).rstrip(".")
            others.append((path, reason))
        else:
            if isinstance(table, str):
                no_table = is_text(path) and table == NO_COLUMNS
                others.append((path, NOT_AN_IMAGE if no_table else table))
            elif (
                is_text(path) and not reading and not _names_files(table, folder, paths)
            ):
                others.append((path, NOT_AN_IMAGE))
            elif path != SAMPLE_TRUTH or table.has_labels:
                if ask and not reading:
                    check_splits(table, folder, list(lines_below_header(table, folder)))
                if not reading and not table.has_splits:
                    table = _with_split_column(table, folder, ask)
                tables.append(_with_findings(folder, table, bool(reading), ask))
    tables = _with_splits(folder, _alike(folder, tables))
    if ask:
        _check_trained(tables, folder)
    return tables, others


def _check_trained(tables: Sequence[Table], folder: Path) -> None:
    """Asks where a column that nobody called split says validation and test alone.

    "valid" and "test" of a column "status" may well say something else of an image. It
    is certain where another table says which images are for training.

    Raises:
        AmbiguousLayoutError: There is such a column.
    """
    said = {table.path: _said_splits(table, folder) for table in tables}
    if any("train" in splits for splits in said.values()):
        return
    for table in tables:
        at = table.columns.get("split")
        if at is None or table.chosen or kind_of_column(table.header[at]) == "split":
            continue
        if len(said[table.path]) > 1:
            raise AmbiguousLayoutError(
                may_be_splits(table, [table.header[at]]),
                table.path.relative_to(folder).as_posix(),
            )


def _said_splits(table: Table, folder: Path) -> set[str]:
    """The splits that a table says, in its name or its lines."""
    splits = {table.split, *table.flags.values()}
    at = table.columns.get("split")
    if at is not None:
        lines = lines_below_header(table, folder)
        words = {line[at] for line in lines if at < len(line)}
        roles = table.roles if table.roles is not None else splits_of(words)
        splits |= {roles.get(word, "") for word in words}
    return splits - {""}


def _with_findings(folder: Path, table: Table, chosen: bool, ask: bool) -> Table:
    """The table as one of several findings, if somebody chose so or its rows say it.

    Raises:
        AmbiguousLayoutError: They may say it, and somebody is to be asked.
    """
    if chosen:
        columns = table.classes if table.finding_columns else ()
        rows = list(lines_below_header(table, folder)) if columns else []
        return of_columns(table, columns, rows) if columns else table
    if not table.has_labels:
        return table
    try:
        return with_findings(folder, table, list(lines_below_header(table, folder)))
    except AmbiguousLayoutError:
        if ask:
            raise
        return table


def _alike(folder: Path, tables: Sequence[Table]) -> list[Table]:
    """The tables, all of several findings where one of them is.

    Of train.csv and test.csv one may by chance hold no image with two.
    """
    if not any(table.multi_label for table in tables):
        return list(tables)
    separators = [t.finding_separator for t in tables if t.finding_separator]
    return [
        of_columns(table, table.classes, list(lines_below_header(table, folder)))
        if table.classes
        else replace(table, finding_separator=separators[0] if separators else "|")
        if "label" in table.columns
        else table
        for table in tables
    ]


def _with_split_column(table: Table, folder: Path, ask: bool) -> Table:
    """The table with a column of split words for its split, whatever the column's name.

    What is marked as a test image must not be trained on because a column is called
    "cohort". Words that are not known beside words of two splits are asked about. Of
    several such columns that counts which says what is for training.

    Raises:
        AmbiguousLayoutError: Several do, and somebody is to be asked.
    """
    words: dict[int, set[str]] = {
        at: set()
        for at in range(len(table.header))
        if at not in table.columns.values() and at not in table.classes.values()
    }
    for line in lines_below_header(table, folder):
        for at in list(words):
            word = line[at] if at < len(line) else ""
            if word.casefold() not in MISSING:
                words[at].add(word)
            if len(words[at]) > _MOST_SPLITS:
                del words[at]
        if not words:
            return table
    roles = {at: set(splits_of(of).values()) - {""} for at, of in words.items()}
    several = {at: splits for at, splits in roles.items() if len(splits) > 1}
    trained = [at for at, splits in several.items() if "train" in splits]
    if ask and len(trained) != 1 and len(several) > 1:
        names = [table.header[at] for at in trained or several]
        path = table.path.relative_to(folder).as_posix()
        raise AmbiguousLayoutError(may_be_splits(table, names), path)
    for at in trained or several:
        return replace(table, columns={**table.columns, "split": at})
    return table


def _names_files(table: Table, folder: Path, paths: Sequence[str]) -> bool:
    """Whether half of the lines name files of the folder: else it is a text.

    Prose may begin with a word such as NAME and mention an image or two.
    """
    at = table.columns.get("file")
    if at is None:
        return True
    stems = {Path(path).stem.casefold() for path in paths}
    named = [line[at] for line in lines_below_header(table, folder) if at < len(line)]
    known = [n for n in named if stems & {Path(n).stem.casefold(), n.casefold()}]
    return 2 * len(known) >= len(named)


def possible_tables(paths: Sequence[str]) -> list[str]:
    """Those of the files that may be tables by their names, the outermost first."""
    likely = [
        path
        for path in paths
        if path.casefold().endswith((*SUFFIXES, TEXT)) and path.count("/") <= 2
    ]
    # A data set may have a text beside each image.
    likely.sort(key=lambda path: (is_text(path), path.count("/"), path))
    return likely[:_MOST_TABLES]


def is_text(path: str) -> bool:
    """Whether a file may be a table, or any other text."""
    return path.casefold().endswith(TEXT)


def _unread_sheets(folder: Path, path: str) -> list[str]:
    names = table_text.other_sheets(folder, folder / path)
    return [
        _("its sheet {name!r} is not read, only the first is", name=name)
        for name in names
    ]


def _with_splits(folder: Path, tables: Sequence[Table]) -> list[Table]:
    """The tables with the split of a name such as train.csv, or of their folder."""
    names = splits_of(table.path.stem for table in tables)
    above = splits_of(t.path.parent.name for t in tables if t.path.parent != folder)
    return [
        table
        if table.has_splits
        else replace(
            table,
            split=names[table.path.stem]
            or (table.path.parent != folder and above[table.path.parent.name])
            or "",
        )
        for table in tables
    ]
