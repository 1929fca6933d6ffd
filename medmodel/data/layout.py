"""Which file of a folder belongs to which class and split.

cells/basophil/1.png                 classes
xray/train/NORMAL/1.png              splits, then classes
xray/NORMAL/train/1.png              classes, then splits
download/xray/train/NORMAL/p1/1.png  with folders around and below
labels.csv                           file,label[,patient][,split] beside any folders

`folder_layout` reads the folders, `manifest` and `table_layout` the tables. What is not
certain is refused with a sentence, and what is left out is listed with its reason.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.data.layouts import description
from medmodel.data.layouts.class_names import one_spelling
from medmodel.data.layouts.folder_layout import find_layout, label_key
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    FolderReading,
    Folders,
    LayoutChoice,
    load_choice,
)
from medmodel.data.layouts.listing import (
    NOT_AN_IMAGE,
    Ignored,
    Listing,
    image_folders,
    list_folder,
    why_no_image,
)
from medmodel.data.multi_label.findings import (
    NO_FINDING,
    finding_name,
    findings_of,
    is_no_finding,
    join_findings,
    split_findings,
)
from medmodel.data.segmentation import pairs
from medmodel.data.segmentation_masks import MASK
from medmodel.data.tables import manifest
from medmodel.data.tables.columns import NO_COLUMNS, Table
from medmodel.data.tables.split_lists import UNUSED, find_lists
from medmodel.data.tables.table_layout import (
    TableFacts,
    facts_from_tables,
    splits_from_folders,
)
from medmodel.data.tables.table_preview import guess_reading
from medmodel.language import (
    N_,
    SOURCE,
    _,
    join_sentences,
    ngettext,
    speaking,
    translate,
)

NO_MASK = N_("no segmentation mask of the same name")
NO_IMAGE = N_("a segmentation mask without an image of the same name")
_COUNTS_AS = "counts as class "
_ORDINARY = {"hidden", NOT_AN_IMAGE}
"""Reasons that need no attention."""


class FileEntry(NamedTuple):
    """One file that may be an image, before it is opened; named as in `samples`.

    Where a data set has no classes but segmentation masks, each file has some.
    """

    path: str
    label: str
    split: str
    bytes: int
    mtime_ns: int
    patient: str = ""
    masks: tuple[str, ...] = ()


class Layout(NamedTuple):
    """What a data set's folders and tables say of its files.

    Args:
        files: Every file that may be an image.
        ignored: (path, reason) of all else.
        sentences: What was read as what.
        choice: What a person had chosen.
        findings: Of a data set whose images may have several, or none: all of them,
            sorted; else empty. Its labels are as from `join_findings`.
    """

    files: list[FileEntry]
    ignored: Ignored
    sentences: list[str]
    choice: LayoutChoice
    findings: tuple[str, ...] = ()

    def classes_of(self, file: FileEntry) -> tuple[str, ...]:
        """The class of a file; or its findings, or that it has none."""
        if not self.findings:
            return (file.label,)
        return split_findings(file.label) or (NO_FINDING,)


def list_files(folder: Path) -> tuple[list[FileEntry], Ignored]:
    """Files and what is left out, as `read_layout` says."""
    layout = read_layout(folder)
    return layout.files, layout.ignored


@speaking(SOURCE)  # Reasons and sentences are kept for all sessions.
def read_layout(folder: Path) -> Layout:
    """Finds a data set's files; opens its tables, and no image as a rule.

    Classes that differ only in capitals, spaces or in Unicode composition are the same;
    links are followed where they lead into the data folders. What a person chose counts
    before what names tell.

    A folder without classes whose images have segmentation masks is read as a data set
    of these.

    Raises:
        AmbiguousLayoutError: Folders or a table may be understood in two ways, or
            nobody knows what a table's columns mean; see `layout_preview`.
        DataError: A table describes the folder and cannot be used.
    """
    listing = list_folder(folder)
    choice = load_choice(folder)
    masks = pairs.pair_masks(listing.stats)
    if not masks:
        return _read_classes(folder, listing, choice)
    left_out = list(listing.ignored)
    with contextlib.suppress(DataError):
        layout = _read_classes(folder, listing, choice)
        if len({label_key(file.label) for file in layout.files}) > 1:
            return layout
    return _read_masks(replace(listing, ignored=left_out), masks, choice)


def _read_masks(
    listing: Listing, masks: Mapping[str, tuple[str, ...]], choice: LayoutChoice
) -> Layout:
    """A data set of images with masks, and no classes."""
    used = pairs.mask_paths(masks)
    ignored = [
        (path, NO_IMAGE if why == MASK else why)
        for path, why in listing.ignored
        if path not in used
    ]
    files = []
    for path in sorted(set(listing.paths) - used):
        if path not in masks:
            ignored.append((path, why_no_image(path.rpartition("/")[2]) or NO_MASK))
            continue
        stats = [listing.stats[tuple(p.split("/"))] for p in (path, *masks[path])]
        files.append(
            FileEntry(
                samples.join(path),
                pairs.LABEL,
                pairs.split_of_path(path),
                stats[0].st_size,
                max(stat.st_mtime_ns for stat in stats),
                masks=masks[path],
            )
        )
    sentences = [description.of_masks(len(files))]
    return Layout(files, ignored, sentences, choice)


def _read_classes(folder: Path, listing: Listing, choice: LayoutChoice) -> Layout:
    """A data set of classes, see `read_layout`."""
    stats, ignored, paths = listing.stats, listing.ignored, listing.paths
    tables, others = manifest.find_tables(folder, paths, choice.tables)
    unread = [path for path, reason in others if reason in (NO_COLUMNS, NOT_AN_IMAGE)]
    unread = [path for path in unread if path not in choice.tables]
    if not any(table.has_splits for table in tables):
        lists, unused = find_lists(folder, paths, unread)
        tables += lists
        others = [(p, UNUSED if p in unused else reason) for p, reason in others]
    used = {table.path.relative_to(folder).as_posix() for table in tables}
    paths = [path for path in paths if path not in used]
    source = _Source(folder, paths, choice.folders, ignored)
    facts, sentences = _facts(source, tables, others)
    unlabelled = [table.path for table in tables if not table.has_labels]
    names = [path.relative_to(folder).as_posix() for path in unlabelled]
    names += [path for path in unread if path not in used]
    unknown = [name for name in names if name not in choice.tables]
    _check_understood(folder, facts, unknown, paths)
    names_of_classes = [fact.label for fact in facts.values()]
    multi_label = any(table.multi_label for table in tables)
    if multi_label:
        labels, findings = _spelled_findings(names_of_classes, ignored)
        ignored += _absent_findings(tables, names_of_classes)
    else:
        labels, findings = one_spelling(names_of_classes, ignored), ()
    files = []
    for path, fact in sorted(facts.items()):
        stat = stats[tuple(path.split("/"))]
        header = stats.get(listing.headers.get(tuple(path.split("/")), ()), stat)
        files.append(
            FileEntry(
                samples.join(path),
                labels[fact.label],
                fact.split,
                stat.st_size,
                max(stat.st_mtime_ns, header.st_mtime_ns),
                patient_pseudonym(fact.patient),
            )
        )
    empty = ["/".join(parts) + "/" for parts in listing.empty]
    ignored += [(path, _("folder without files of a class")) for path in empty]
    return Layout(files, ignored, sentences, choice, findings)


def _spelled_findings(
    labels: Sequence[str], ignored: Ignored
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Label -> the same with each finding in one spelling, and all findings."""
    names = Counter(name for label in labels for name in split_findings(label))
    spelling = one_spelling([name for name, _n in names.most_common()], ignored)
    findings = tuple(sorted(set(spelling.values())))
    spelled = {}
    for label in set(labels):
        present = {spelling[name] for name in split_findings(label)}
        spelled[label] = join_findings(name for name in findings if name in present)
    return spelled, findings


def _absent_findings(tables: Sequence[Table], labels: Sequence[str]) -> Ignored:
    """Columns of findings that no file has."""
    present = set(findings_of(labels))
    named = {name for t in tables if t.finding_columns for name in t.classes}
    absent = {name for name in named if finding_name(name) not in present}
    return [
        (name, _("no file has this finding"))
        for name in sorted(absent)
        if not is_no_finding(name)
    ]


def _check_understood(
    folder: Path,
    facts: Mapping[str, TableFacts],
    tables: Sequence[str],
    paths: Sequence[str],
) -> None:
    """Raises `AmbiguousLayoutError` where a table may say what nothing else does."""
    if len({label_key(fact.label) for fact in facts.values()}) > 1:
        return
    for path in tables:
        if guess_reading(folder, path, paths).file:
            raise AmbiguousLayoutError(
                _(
                    "{path} names files that are here, but no column is called as "
                    "usual for their class: call the columns file and label.",
                    path=path,
                ),
                path,
            )


def left_out(ignored: Iterable[tuple[str, str]]) -> str:
    """What was left out and how classes were merged, in sentences; "" if nothing was.

    The commonest reasons first, each with its first file; hidden files and files that
    are no images are only counted, beside others.
    """
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    merged = []
    for path, reason in ignored:
        if reason.startswith(_COUNTS_AS):
            full_stop = _(".")
            merged.append(f"{path!r} {translate(reason)}{full_stop}")
        else:
            first.setdefault(reason, path)
            counts[reason] += 1
    ordinary = sum(counts.pop(reason, 0) for reason in _ORDINARY)
    parts = [
        _left_out_part(n, first[reason], translate(reason))
        for reason, n in counts.most_common(3)
    ]
    rest = counts.total() - sum(n for _reason, n in counts.most_common(3))
    if rest:
        parts.append(
            ngettext(
                "{count:,} file for other reasons",
                "{count:,} files for other reasons",
                rest,
            )
        )
    if ordinary and parts:
        parts.append(
            ngettext(
                "hidden or no images: {count:,} file",
                "hidden or no images: {count:,} files",
                ordinary,
            )
        )
    sentences = [_("Left out: {parts}.", parts=_("; ").join(parts))] if parts else []
    return join_sentences(sentences + merged[:3])


def _left_out_part(count: int, first: str, reason: str) -> str:
    if count == 1:
        return _("{file} ({reason})", file=first, reason=reason)
    return _(
        "{count:,} files, first {file} ({reason})",
        count=count,
        file=first,
        reason=reason,
    )


class _Source(NamedTuple):
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


_Facts = dict[str, TableFacts]
"""Path -> class, split and patient of every file that can be used."""


def _facts(
    source: _Source, tables: Sequence[Table], others: Ignored
) -> tuple[_Facts, list[str]]:
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
    source: _Source, facts: _Facts, tables: Sequence[Table], reasons: Ignored
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
    source: _Source, tables: Sequence[Table], reasons: Ignored
) -> tuple[_Facts, FolderReading]:
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


def _facts_if_classes(source: _Source) -> tuple[_Facts, FolderReading] | None:
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


def _facts_from_folders(source: _Source) -> tuple[_Facts, FolderReading]:
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
    source: _Source, tables: Sequence[Table], facts: _Facts, sentences: list[str]
) -> tuple[_Facts, list[str]]:
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
