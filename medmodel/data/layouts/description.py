"""Sentences that say what was read as what: folders as classes or splits, tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from medmodel.data.archives.zip_names import ENCODINGS
from medmodel.data.layouts.layout_choice import FolderReading

if TYPE_CHECKING:
    from medmodel.data.tables.manifest import Table

ROLES = {"train": "training", "val": "validation", "test": "test", "": "left out"}
_LEVELS = ("first", "second", "third", "fourth", "fifth", "sixth")


def of_folders(reading: FolderReading) -> str:
    """What the levels of folders were read as."""
    around = f" in {'/'.join(reading.around)}" if reading.around else ""
    label = f"the {level(reading.class_level)} level of folders{around} names the class"
    if reading.split_level is None:
        return f"Read as folders: {label}, and none a split."
    parts = [
        f"{name} ({ROLES[split]})" for name, split in sorted(reading.splits.items())
    ]
    if reading.split_level == reading.class_level:
        label += " and the split"
    else:
        label += f", the {level(reading.split_level)} the split"
    return f"Read as folders: {label}: {listed(parts)}."


def level(number: int) -> str:
    """The word for the level of folders 0, 1 …: first, second …."""
    return _LEVELS[number] if number < len(_LEVELS) else f"{number + 1}th"


def listed(words: Collection[str]) -> str:
    """Some words for a sentence."""
    words = list(words)
    if len(words) > 6:
        return f"{', '.join(words[:5])} and {len(words) - 5} more"
    parts = [", ".join(words[:-1]), *words[-1:]]
    return " and ".join(filter(None, parts)) or "none"


def of_table(table: Table) -> str:
    """What the columns of a table were read as."""
    columns = [
        f"{_KINDS[kind]} in column {table.header[at]!r}"
        for kind, at in table.columns.items()
        if kind in _KINDS
    ]
    if table.classes:
        columns.append(f"{len(table.classes)} columns of 0 and 1 for the classes")
    if table.split:
        columns.append(f"all of its files {ROLES[table.split]}")
    text = f"Read as table: {table.path.name}, {listed(columns)}."
    if table.encoding in ENCODINGS:
        text += (
            f" Its text does not say its encoding; {ENCODINGS[table.encoding]} is a "
            "guess."
        )
    return text


_KINDS = {
    "file": "the file",
    "label": "the class",
    "patient": "the patient",
    "split": "the split",
}
