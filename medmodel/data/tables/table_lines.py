"""The lines of a table: file, label, patient and split of each, or why it says none."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from medmodel.data.layouts.layout_choice import AmbiguousLayoutError
from medmodel.data.layouts.split_names import KNOWN, splits_of
from medmodel.data.tables import table_text
from medmodel.data.tables.column_names import FALSE, TRUE
from medmodel.data.tables.columns import Table
from medmodel.data.tables.finding_columns import findings_label
from medmodel.language import _

_PARTS = re.compile(r"\s*[|;,]\s*")
"""Between the classes of a label that names several."""
MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "<na>", "-", "?"}
"""Values that say nothing."""


class ManifestRow(NamedTuple):
    """One line of a table.

    Args:
        file: As it stands there.
        label: The class; "" if it is missing, or if the table knows no labels.
        patient: "" if unknown.
        split: train, val, test; "" if the table has no splits, or none for this line.
        reason: Why the line cannot be used; "" if it can.
    """

    file: str
    label: str
    patient: str
    split: str
    reason: str = ""


def read_table(table: Table, folder: Path) -> Iterator[ManifestRow]:
    """The lines of a table, without those that name no file.

    Args:
        table: As found.
        folder: The data set's.

    Raises:
        DataError: It is too large or not text.
        AmbiguousLayoutError: It says a split that is not known.
    """
    splits = _read_splits(table, folder)
    missing = _missing_labels(table, folder)
    for line in lines_below_header(table, folder):
        values = {
            name: line[at] if at < len(line) else ""
            for name, at in table.columns.items()
        }
        file = values.get("file", "")
        if file.casefold() in MISSING:
            continue
        label, reason = _label(table, line, values.get("label", ""), missing)
        if any(line[max(len(table.header), 1) :]) and table.rows_above:
            # A separator inside a value that is not quoted: what follows has moved.
            reason = _("more values than columns in {name}", name=table.path.name)
        split = table.split
        if "split" in values:
            split = splits[values["split"]]
        elif table.flags:
            split = _flagged(table, line)
        if table.has_splits and not split and not reason:
            reason = _("no split in {name}", name=table.path.name)
        patient = values.get("patient", "")
        patient = "" if patient.casefold() in MISSING else patient
        yield ManifestRow(file, label, patient, split, reason)


def several_labels(rows: Sequence[ManifestRow], table: Table) -> list[ManifestRow]:
    """The lines, without the label of those that name several classes: "a|b".

    Such a label is several where all its parts are classes of other lines, unless
    findings may be several or a person chose that labels are classes.
    """
    if table.multi_label or table.chosen:
        return list(rows)
    labels = {row.label for row in rows}
    several = {
        label
        for label in labels
        if len(parts := _PARTS.split(label)) > 1 and labels.issuperset(parts)
    }
    reason = _("several classes in {name}", name=table.name)
    return [
        row._replace(label="", reason=row.reason or reason)
        if row.label in several
        else row
        for row in rows
    ]


def _missing_labels(table: Table, folder: Path) -> set[str]:
    """What stands for no label; beside +, - is one of them."""
    at = table.columns.get("label")
    if at is None or not any(
        line[at : at + 1] == ["+"] for line in lines_below_header(table, folder)
    ):
        return MISSING
    return MISSING - {"-"}


def _label(
    table: Table, line: list[str], label: str, missing_labels: set[str]
) -> tuple[str, str]:
    """The class that a line says, and why it says none."""
    name = table.path.name
    if table.multi_label:
        return findings_label(table, line, label)
    if not table.classes:
        missing = label.casefold() in missing_labels and "label" in table.columns
        label = " ".join(label.split())
        return ("", _("no label in {name}", name=name)) if missing else (label, "")
    marked = [
        c for c, at in table.classes.items() if line[at : at + 1] and _is(line[at])
    ]
    if len(marked) == 1:
        return marked[0], ""
    if marked:
        return "", _("several classes in {name}", name=name)
    return "", _("no class in {name}", name=name)


def _is(value: str) -> bool:
    return value.casefold() in TRUE


def _flagged(table: Table, line: list[str]) -> str:
    """The split of a line by columns such as is_train and is_valid."""
    values = {s: line[at].casefold() for at, s in table.flags.items() if at < len(line)}
    yes = [split for split, value in values.items() if value in TRUE]
    if len(yes) == 1:
        return yes[0]
    if yes or not values or not set(values.values()) <= FALSE:
        return ""
    # What is no test image is for training; what is not for training is for the test.
    return "train" if "train" not in values else "test" if len(values) == 1 else ""


def _read_splits(table: Table, folder: Path) -> dict[str, str]:
    """Word of the split column -> split, "" where it is missing.

    Raises:
        AmbiguousLayoutError: A word is not known.
    """
    if "split" not in table.columns:
        return {}
    at = table.columns["split"]
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for line in lines_below_header(table, folder):
        word = line[at] if at < len(line) else ""
        first.setdefault(word, line[table.columns["file"]])
        count[word] += 1
    words = [word for word in first if word.casefold() not in MISSING]
    splits = splits_of(words) if table.roles is None else dict(table.roles)
    said = {word for word in words if splits.get(word)} | set(table.roles or ())
    unknown = [word for word in words if word not in said]
    if unknown:
        word = unknown[0]
        raise AmbiguousLayoutError(
            _(
                "{name} names the split {splits}, which is not known ({lines:,} lines, "
                "the first of {first}). Write {known}.",
                name=table.path.name,
                splits=_and_more(unknown),
                lines=count[word],
                first=first[word],
                known=_(KNOWN),
            ),
            table.path.relative_to(folder).as_posix(),
        )
    return {word: splits.get(word, "") for word in first}


def lines_below_header(table: Table, folder: Path) -> Iterator[list[str]]:
    """The lines below the first, each value composed and without blanks around it.

    Raises:
        DataError: It is too large, or not text.
    """
    text = table_text.read_text(folder, table.path, table.encoding)
    lines = table_text.rows(text, table.separator)
    try:
        yield from itertools.islice(lines, table.rows_above, None)
    except csv.Error as error:
        raise table_text.no_table(table.path) from error


def _and_more(words: Sequence[str]) -> str:
    if len(words) == 1:
        return repr(words[0])
    return _("{word!r} and {count} more", word=words[0], count=len(words) - 1)
