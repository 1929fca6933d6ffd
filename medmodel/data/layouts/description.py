"""Sentences that say what was read as what: folders as classes or splits, tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from medmodel.data.layouts.layout_choice import FolderReading
from medmodel.data.tables.encodings import ENCODINGS
from medmodel.language import N_, _, ngettext

if TYPE_CHECKING:
    from medmodel.data.tables.columns import Table

_ROLES = {
    "train": N_("{folder} (training)"),
    "val": N_("{folder} (validation)"),
    "test": N_("{folder} (test)"),
    "": N_("{folder} (left out)"),
}
_ALL_OF_ONE = {
    "train": N_("all of its files for training"),
    "val": N_("all of its files for validation"),
    "test": N_("all of its files for test"),
}
"""Texts of their own: kept in English, a single word among the names of folders would
not be known again."""
_LEVELS = (
    *(N_("first"), N_("second"), N_("third")),
    *(N_("fourth"), N_("fifth"), N_("sixth")),
)


def of_folders(reading: FolderReading) -> str:
    """What the levels of folders were read as."""
    around = "/".join(reading.around)
    label = level(reading.class_level)
    if reading.split_level is None:
        if not around:
            return _(
                "Read as folders: the {class_word} level of folders names the class, "
                "and none a split.",
                class_word=label,
            )
        return _(
            "Read as folders: the {class_word} level of folders in {folder} names the "
            "class, and none a split.",
            class_word=label,
            folder=around,
        )
    splits = listed(
        [
            _(_ROLES[split], folder=name)
            for name, split in sorted(reading.splits.items())
        ]
    )
    if reading.split_level == reading.class_level:
        if not around:
            return _(
                "Read as folders: the {class_word} level of folders names the class "
                "and the split: {splits}.",
                class_word=label,
                splits=splits,
            )
        return _(
            "Read as folders: the {class_word} level of folders in {folder} names the "
            "class and the split: {splits}.",
            class_word=label,
            folder=around,
            splits=splits,
        )
    if not around:
        return _(
            "Read as folders: the {class_word} level of folders names the class, the "
            "{split_word} the split: {splits}.",
            class_word=label,
            split_word=level(reading.split_level),
            splits=splits,
        )
    return _(
        "Read as folders: the {class_word} level of folders in {folder} names the "
        "class, the {split_word} the split: {splits}.",
        class_word=label,
        folder=around,
        split_word=level(reading.split_level),
        splits=splits,
    )


def of_masks(images: int) -> str:
    """That a data set has segmentation masks in place of classes."""
    return ngettext(
        "Read as a segmentation data set: {count:,} image with its mask, and no "
        "classes of images.",
        "Read as a segmentation data set: {count:,} images with masks, and no classes "
        "of images.",
        images,
    )


def level(number: int) -> str:
    """The word for the level of folders 0, 1 …: first, second …."""
    if number < len(_LEVELS):
        return _(_LEVELS[number])
    return _("{number}th", number=number + 1)


def listed(words: Collection[str]) -> str:
    """Some words for a sentence, with a sign between that is none of a language."""
    words = list(words)
    if len(words) > 6:
        return _(
            "{names} and {count} more",
            names=_(", ").join(words[:5]),
            count=len(words) - 5,
        )
    return _(", ").join(words) or _("none")


def of_table(table: Table) -> str:
    """What the columns of a table were read as."""
    columns = [
        _(
            "{kind} in column {column!r}",
            kind=_(_KINDS[kind]),
            column=table.header[at],
        )
        for kind, at in table.columns.items()
        if kind in _KINDS
    ]
    if table.finding_separator:
        columns.append(
            _(
                "several findings in one cell, with {sign} between them",
                sign=table.finding_separator,
            )
        )
    if table.finding_columns:
        columns.append(
            _("{count} columns of yes and no for findings", count=len(table.classes))
        )
    if table.blank_is_no:
        columns.append(
            _(
                "where blank means no: {columns_listed}",
                columns_listed=listed(sorted(table.blank_is_no)),
            )
        )
    if table.classes and not table.finding_columns:
        columns.append(
            _(
                "{count} columns of 0 and 1 for the classes",
                count=len(table.classes),
            )
        )
    if table.split:
        columns.append(_(_ALL_OF_ONE[table.split]))
    text = _(
        "Read as table: {name}, {columns}.",
        name=table.path.name,
        columns=listed(columns),
    )
    if table.guessed:
        guess = _(
            "Its text does not say its encoding; {encoding} is a guess.",
            encoding=_(ENCODINGS[table.encoding]),
        )
        return f"{text} {guess}"
    return text


_KINDS = {
    "file": N_("the file"),
    "label": N_("the class"),
    "patient": N_("the patient"),
    "split": N_("the split"),
}
