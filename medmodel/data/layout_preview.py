"""In which ways a data set's folders and tables can be read, for a person to choose.

Names alone are looked at. `layout` reads a data set as names tell, or as was chosen.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from medmodel.core.errors import DataError
from medmodel.data import layout
from medmodel.data.layouts.folder_layout import FolderLayout, find_layout
from medmodel.data.layouts.folder_tree import FolderTree, significant_folders
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    FolderReading,
    Folders,
    LayoutChoice,
    TableReading,
    load_choice,
)
from medmodel.data.layouts.listing import image_folders, is_no_image, list_folder
from medmodel.data.layouts.split_names import Role, is_fold, splits_of, without_split
from medmodel.data.tables.columns import Table
from medmodel.data.tables.finding_columns import is_finding_column
from medmodel.data.tables.manifest import find_tables, possible_tables
from medmodel.data.tables.table_preview import TablePreview, preview_table

_DEEPEST = 4
"""Levels of folders that are offered."""
_MOST_SPLITS = 30
_MOST_CLASSES = 500
_MOST_READINGS = 5
Classes = Mapping[str, Mapping[Role, list[str]]]
"""Class -> split -> paths of its images."""


@dataclass(frozen=True)
class LayoutPreview:
    """A data set's folders and tables, and how they can be read.

    Args:
        question: Why a person has to choose; "" where nobody has to.
        table: Path of the table that the question is about; "" if of folders.
        files: The folders of its images -> paths of the images in each.
        significant: These folders -> those of them that mean something.
        readings: Ways to read the folders, the likeliest first; the one that is used
            before all others, if one is.
        tables: Files that look like tables.
        labelled: Paths of those that say the class of files, as they are read.
        choice: What was chosen so far.
    """

    question: str
    table: str
    files: Mapping[Folders, list[str]]
    significant: Mapping[Folders, Folders]
    readings: list[FolderReading]
    tables: list[TablePreview]
    labelled: Collection[str]
    choice: LayoutChoice

    def classes(self, reading: FolderReading) -> Classes:
        """The images by class and split, if the folders are read so."""
        understood = FolderLayout(self.significant, reading)
        classes: dict[str, dict[Role, list[str]]] = defaultdict(dict)
        for folders, paths in self.files.items():
            place = understood.label_and_split(folders)
            if not isinstance(place, str):
                label, split = place
                classes[label].setdefault(cast(Role, split), []).extend(paths)
        return dict(sorted(classes.items()))

    def names(self, around: Folders, level: int) -> Mapping[str, int]:
        """Name of a folder at a level below others -> number of images in it."""
        counts: Counter[str] = Counter()
        for folders, paths in self.files.items():
            names = self.significant[folders]
            if names[: len(around)] == around and len(names) > len(around) + level:
                counts[names[len(around) + level]] += len(paths)
        return dict(sorted(counts.items()))


def preview_layout(folder: Path) -> LayoutPreview:
    """Looks at the names in a data set's folder, and into its tables.

    Raises:
        DataError: What was chosen before is damaged.
    """
    question, table = _question(folder)
    listing = list_folder(folder)
    choice = load_choice(folder)
    found, _ = find_tables(folder, listing.paths, ask=False)
    read = {table.path.relative_to(folder).as_posix(): table for table in found}
    tables = [
        preview
        for path in possible_tables(listing.paths)
        if (
            preview := preview_table(
                folder, path, listing.paths, _reading_of(path, read, choice)
            )
        )
    ]
    if table in read:
        tables = [
            _proposing(each, read[table]) if each.path == table else each
            for each in tables
        ]
    parts = [tuple(path.split("/")) for path in listing.paths]
    holding = image_folders(folder, parts)
    files: dict[Folders, list[str]] = {}
    for names in parts:
        if names[:-1] in holding and not is_no_image(names[-1]):
            files.setdefault(names[:-1], []).append("/".join(names))
    significant = significant_folders(files)
    readings = _readings(significant)
    used = choice.folders or _certain(files)
    if used:
        readings = [used, *(r for r in readings if _levels(r) != _levels(used))]
    return LayoutPreview(
        question,
        table,
        files,
        significant,
        readings,
        tables,
        {name for name, each in read.items() if each.has_labels},
        choice,
    )


def preview_in(folder: Path, path: str, encoding: str) -> TablePreview | None:
    """The preview of a table if its text has this encoding."""
    paths = list_folder(folder).paths
    reading = load_choice(folder).tables.get(path)
    return preview_table(folder, path, paths, reading, encoding)


def _reading_of(
    path: str, read: Mapping[str, Table], choice: LayoutChoice
) -> TableReading | None:
    """What a table's columns mean as chosen, else as their names tell, if they do."""
    chosen = choice.tables.get(path)
    if chosen and chosen.file:
        return chosen
    if path not in read:
        return None
    table = read[path]
    names = {kind: table.header[at] for kind, at in table.columns.items()}
    return TableReading(
        file=names["file"],
        label=names.get("label", ""),
        patient=names.get("patient", ""),
        split=names.get("split", ""),
        encoding=chosen.encoding if chosen else "",
        findings=tuple(table.classes) if table.finding_columns else (),
        finding_separator=table.finding_separator,
    )


def _proposing(preview: TablePreview, table: Table) -> TablePreview:
    """The table asked about, with all its columns of yes and no for findings.

    Where its label is known the question is about what stands in it.
    """
    reading = preview.reading
    if reading.has_labels or table.chosen:
        return preview
    used = {reading.file, reading.patient, reading.split}
    used |= {table.header[at] for at in table.flags}
    findings = tuple(
        name
        for name in preview.header
        if name and name not in used and is_finding_column(preview.words.get(name, ()))
    )
    return replace(preview, reading=replace(reading, findings=findings))


def _question(folder: Path) -> tuple[str, str]:
    try:
        layout.read_layout(folder)
    except AmbiguousLayoutError as error:
        return error.sentence, error.table
    except DataError:
        pass  # said where the check ended; another reading may be the way out
    return "", ""


def _levels(reading: FolderReading) -> tuple[Folders, int, int | None]:
    return reading.around, reading.class_level, reading.split_level


def _certain(files: Mapping[Folders, list[str]]) -> FolderReading | None:
    try:
        return find_layout(files).reading
    except AmbiguousLayoutError:
        return None


def _readings(significant: Mapping[Folders, Folders]) -> list[FolderReading]:
    """The ways to read folders that make two classes at least, the likeliest first."""
    tree = FolderTree(significant.values())
    around: Folders = ()
    while len(tree.children(around)) == 1:
        around = (*around, tree.children(around)[0])
    if not tree.children(around):  # one class alone
        around = around[:-1]
    below = [f[len(around) :] for f in set(significant.values())]
    below = [names for names in below if names]
    depth = min(max(map(len, below), default=0), _DEEPEST)
    scored = [
        (_likelihood(reading, below), reading)
        for label, split in itertools.product(range(depth), [None, *range(depth)])
        if (reading := _reading(around, below, label, split))
    ]
    scored.sort(key=lambda pair: -pair[0])
    return [reading for _, reading in scored[:_MOST_READINGS]]


def _at(below: Collection[Folders], level: int) -> set[str]:
    return {names[level] for names in below if len(names) > level}


def _reading(
    around: Folders,
    below: Collection[Folders],
    class_level: int,
    split_level: int | None,
) -> FolderReading | None:
    """What these levels would mean; None if that makes no data set."""
    labels = _at(below, class_level)
    if split_level is None:
        reading = FolderReading(around, class_level)
    else:
        names = _at(below, split_level)
        splits = splits_of(names)
        if split_level == class_level:
            parted = {name: without_split(name) for name in names}
            splits = {name: split for name, (split, _) in parted.items()}
            labels = {rest for _, rest in parted.values()}
            if not all(map(all, parted.values())):
                return None
        elif not 2 <= len(names) <= _MOST_SPLITS:
            return None
        reading = FolderReading(around, class_level, split_level, splits)
    return reading if 2 <= len(labels) <= _MOST_CLASSES else None


def _likelihood(reading: FolderReading, below: Collection[Folders]) -> float:
    """How well a reading fits: places for all, split words for splits, not classes."""
    label, split = reading.class_level, reading.split_level
    deepest = max(label, split or 0)
    score = sum(len(names) > deepest for names in below) / len(below)
    if split == label:
        return score + 2
    score -= 2 * _split_words(_at(below, label)) + 0.1 * label
    unread = [level for level in range(_DEEPEST) if level not in (label, split)]
    score -= max(_split_words(_at(below, level)) for level in unread)
    if split is not None:
        known = _split_words(_at(below, split))
        score += 2 * known - (1.5 if split > label and not known else 0.5)
        held: dict[str, set[str]] = defaultdict(set)
        for names in below:
            if len(names) > deepest:
                held[names[label]].add(names[split])
        shared = sum(len(splits) > 1 for splits in held.values())
        score += shared / max(len(held), 1)
    return score


def _split_words(names: Collection[str]) -> float:
    """The share of names that are words for a split or a fold."""
    splits = splits_of(names)
    known = [name for name in names if splits[name] or is_fold(name)]
    return len(known) / max(len(names), 1)
