"""What looks like a split of a table and may be something else: somebody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medmodel.data.layouts.layout_choice import AmbiguousLayoutError
from medmodel.data.layouts.split_names import KNOWN, is_short, splits_of
from medmodel.data.tables.column_names import TRUE
from medmodel.data.tables.columns import Table
from medmodel.language import _

_MOST_WORDS = 12
"""Different labels that may all be words of splits."""


def check_splits(table: Table, folder: Path, lines: Sequence[Sequence[str]]) -> None:
    """Asks where labels may be splits, or yes and no another thing than a split.

    A column "valid" says of some tables which images are for validation, of others
    which can be used; nobody validates on as many images as he trains on.

    Args:
        table: As found by the names of its columns.
        folder: The data set's.
        lines: Of the table, below its header.

    Raises:
        AmbiguousLayoutError: All labels are words of splits, of two at least; or
            columns of yes and no say validation or test, none says training, and they
            say yes of half of the lines or more, or of one line both; or no column is
            a class, and those that say splits may be findings.
    """
    if "split" in table.columns:
        return  # It says the splits, whatever the others are called.
    path = table.path.relative_to(folder).as_posix()
    labels = _words(table.columns.get("label"), lines)
    if 0 < len(labels) <= _MOST_WORDS:
        splits = splits_of(labels)
        if all(splits.values()) and len(set(splits.values())) > 1:
            raise AmbiguousLayoutError(
                _(
                    "{name} has classes that are called like splits: {labels}. Call "
                    "that column split if they are, and the classes otherwise if not.",
                    name=table.path.name,
                    labels=_(", ").join(sorted(labels)),
                ),
                path,
            )
    flags = [table.header[at] for at in table.flags]
    if flags and not table.has_labels and all(map(is_short, flags)):
        raise AmbiguousLayoutError(
            _(
                "{name}: its columns {columns} may be splits or findings. Write "
                "{known} into a column called split, or call these otherwise.",
                name=table.path.name,
                columns=_(", ").join(flags),
                known=_(KNOWN),
            ),
            path,
        )
    _check_flags(table, path, lines)


def _check_flags(table: Table, path: str, lines: Sequence[Sequence[str]]) -> None:
    """Asks where columns of yes and no that say validation or test say something else.

    Raises:
        AmbiguousLayoutError: None says what is for training, and they say yes of half
            of the lines or more, or of one line both.
    """
    if not table.flags or "train" in table.flags.values():
        return
    said = [_flagged(table, line) for line in lines]
    count = sum(bool(splits) for splits in said)
    if 2 * count < max(len(said), 1) and all(len(splits) < 2 for splits in said):
        return
    names = [table.header[at] for at in table.flags]
    known = _(KNOWN)
    sentence = may_be_splits(table, names)
    if len(names) == 1:
        sentence = _(
            "{name}: its column {column!r} says yes of {count:,} of {lines:,} "
            "lines: it may be a split, or say something else of the images. Write "
            "{known} into a column called split, or call this one otherwise.",
            name=table.path.name,
            column=names[0],
            count=count,
            lines=len(said),
            known=known,
        )
    raise AmbiguousLayoutError(sentence, path)


def _flagged(table: Table, line: Sequence[str]) -> set[str]:
    """The splits of which a line says yes."""
    return {
        split
        for at, split in table.flags.items()
        if at < len(line) and line[at].strip().casefold() in TRUE
    }


def may_be_splits(table: Table, columns: Sequence[str]) -> str:
    """That columns look like splits and may say something else, as a question."""
    known = _(KNOWN)
    if len(columns) == 1:
        return _(
            "{name}: its column {column!r} may be the split, without a word of "
            "training, or say something else of the images. Write {known} into a "
            "column called split, or call this one otherwise.",
            name=table.path.name,
            column=columns[0],
            known=known,
        )
    return _(
        "{name}: its columns {columns} may be splits, or say something else of the "
        "images. Write {known} into a column called split, or call these otherwise.",
        name=table.path.name,
        columns=_(", ").join(columns),
        known=known,
    )


def _words(at: int | None, lines: Sequence[Sequence[str]]) -> set[str]:
    if at is None:
        return set()
    return {line[at] for line in lines if at < len(line) and line[at]}
