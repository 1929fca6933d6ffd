"""Class, split and patient of every file, as folders and tables say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import DataError
from medmodel.data.layouts import description
from medmodel.data.layouts.class_names import label_key
from medmodel.data.layouts.folder_layout import find_layout
from medmodel.data.layouts.layout_choice import FolderReading, Folders
from medmodel.data.layouts.listing import Ignored, image_folders, why_no_image
from medmodel.data.tables.columns import Table
from medmodel.data.tables.table_layout import (
    TableFacts,
    facts_from_tables,
    splits_from_folders,
)
from medmodel.language import _, ngettext


class Source(NamedTuple):
    """What facts are made of.

    Args:
        folder: The data set's.
        paths: Its files that are no tables.
        chosen: How a person said that its folders are to be read.
        ignored: Grows by what is left out.
    """

    folder: Path
    paths: Sequence[str]
    chosen: FolderReading | None
    ignored: Ignored


Facts = dict[str, TableFacts]
"""Path -> class, split and patient of every file that can be used."""


def find_facts(
    source: Source, tables: Sequence[Table], others: Ignored
) -> tuple[Facts, list[str]]:
    """The facts, and what was read as what.

    Args:
        source: Of the facts.
        tables: Those that describe the files.
        others: Tables that do not, and why.

    Raises:
        DataError: As `read_layout`.
    """
    labelled = [table for table in tables if table.has_labels]
    if labelled and all(table.weak for table in labelled):
        by_folder = _facts_if_classes(source)
        if by_folder:
            source.ignored.extend(
                (
                    t.path.name,
                    _(
                        "column {weak!r} is not used: the folders are classes",
                        weak=t.weak,
                    ),
                )
                for t in labelled
            )
            return by_folder[0], [description.of_folders(by_folder[1])]
    reading = None
    facts, reasons = facts_from_tables(source.folder, labelled, source.paths)
    if labelled and not facts:
        facts, reading = _facts_beside(source, labelled, reasons)
    elif labelled:
        _note_unused(source, facts, labelled, [*reasons, *others])
        if not any(table.has_splits for table in labelled):
            facts = _with_folder_splits(facts, source.ignored)
    else:
        facts, reading = _facts_from_folders(source)
        why = dict(others)
        source.ignored[:] = [(p, why.get(p, reason)) for p, reason in source.ignored]
    sentences = [description.of_table(table) for table in labelled]
    if reading:
        sentences = [description.of_folders(reading)]
    return _supplemented(source, tables, facts, sentences)


def _note_unused(
    source: Source, facts: Facts, tables: Sequence[Table], reasons: Ignored
) -> None:
    """Notes columns and files of which tables with labels make nothing."""
    source.ignored.extend([*reasons, *_unused_columns(tables)])
    known = set(dict(reasons))
    named = " or ".join(table.path.name for table in tables[:3])
    source.ignored.extend(
        (path, _("not named in {named}", named=named))
        for path in source.paths
        if path not in facts and path not in known
    )


def _facts_beside(
    source: Source, tables: Sequence[Table], reasons: Ignored
) -> tuple[Facts, FolderReading]:
    """What folders say where tables name nothing that is here.

    Raises:
        DataError: They hold no classes.
    """
    absent = [name for name, reason in reasons if reason.endswith("not there")]
    name = tables[0].path.name
    if absent:
        said = ngettext(
            "names {count:,} file that is not here, first {first}",
            "names {count:,} files that are not here, first {first}",
            len(absent),
            first=absent[0],
        )
    elif reasons:
        said = _("names no file that can be used: {reason}", reason=reasons[0][1])
    else:
        said = _("names no file")
    by_folder = _facts_if_classes(source)
    if not by_folder and reasons and not absent:
        raise DataError(
            _(
                "{name} names no file that can be used: {reason}.",
                name=name,
                reason=reasons[0][1],
            )
        )
    if not by_folder:
        raise DataError(
            _(
                "{name} {said}. The paths in it must be those of the files beside it.",
                name=name,
                said=said,
            )
        )
    source.ignored.append((name, _("{said}; the folders count", said=said)))
    return by_folder


def _facts_if_classes(source: Source) -> tuple[Facts, FolderReading] | None:
    """What the folders say, if they are classes; else nothing."""
    reasons: Ignored = []
    try:
        facts, reading = _facts_from_folders(source._replace(ignored=reasons))
    except DataError:
        return None
    if len({label_key(fact.label) for fact in facts.values()}) < 2:
        return None
    source.ignored.extend(reasons)
    return facts, reading


def _unused_columns(tables: Sequence[Table]) -> Ignored:
    labels = [
        (
            table.path.name,
            _("column {column!r} is not used as the label", column=column),
        )
        for table in tables
        for column in table.unused
    ]
    splits = [
        (
            table.path.name,
            _("column {column!r} names no split that is known", column=name),
        )
        for table in tables
        if (name := table.unknown_split) and not table.has_splits
    ]
    return labels + splits


def _with_folder_splits(
    facts: Mapping[str, TableFacts], ignored: Ignored
) -> dict[str, TableFacts]:
    """The facts with the splits that the files' folders say, if any does."""
    splits = splits_from_folders(facts)
    strict = "train" in splits.values()
    outside = {path for path, split in splits.items() if strict and not split}
    ignored += [(path, _("not in train, val or test")) for path in sorted(outside)]
    return {
        path: fact._replace(split=splits.get(path, ""))
        for path, fact in facts.items()
        if path not in outside
    }


def _facts_from_folders(source: Source) -> tuple[Facts, FolderReading]:
    files = [tuple(path.split("/")) for path in source.paths]
    layout = find_layout(image_folders(source.folder, files), source.chosen)
    places: dict[Folders, tuple[str, str] | str] = {}
    facts = {}
    for parts, path in zip(files, source.paths, strict=True):
        place = places.get(parts[:-1]) or layout.label_and_split(parts[:-1])
        places[parts[:-1]] = place
        if not isinstance(place, str):
            facts[path] = TableFacts(*place)
        elif reason := why_no_image(parts[-1]):
            source.ignored.append((path, reason))
        else:
            source.ignored.append((path, place))
    return facts, layout.reading


def _supplemented(
    source: Source, tables: Sequence[Table], facts: Facts, sentences: list[str]
) -> tuple[Facts, list[str]]:
    """The facts with patients and splits of tables that know no labels."""
    unlabelled = [table for table in tables if not table.has_labels]
    # Of train.csv and test.csv each names some of the files.
    with_splits = [table for table in unlabelled if table.has_splits]
    groups = [[table] for table in unlabelled if not table.has_splits]
    for group in filter(None, [with_splits, *groups]):
        named = _(" or ").join(table.path.name for table in group[:3])
        more, reasons = facts_from_tables(source.folder, group, list(facts))
        if not more:
            source.ignored.append((named, _("names no file that is here")))
            continue
        source.ignored.extend(reasons)
        sentences += map(description.of_table, group)
        for path, fact in list(facts.items()):
            known = more.get(path, TableFacts())
            if group is with_splits and not known.split:
                source.ignored.append((path, _("no split in {name}", name=named)))
                del facts[path]
                continue
            facts[path] = TableFacts(
                fact.label, known.split or fact.split, fact.patient or known.patient
            )
    return facts, sentences
