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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.data.layouts import description
from medmodel.data.layouts.class_names import label_key, one_spelling, spelled_findings
from medmodel.data.layouts.facts import Source, find_facts
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    LayoutChoice,
    load_choice,
)
from medmodel.data.layouts.listing import (
    NOT_AN_IMAGE,
    Ignored,
    Listing,
    list_folder,
    why_no_image,
)
from medmodel.data.multi_label.findings import (
    NO_FINDING,
    finding_name,
    findings_of,
    is_no_finding,
    split_findings,
)
from medmodel.data.segmentation import pairs
from medmodel.data.segmentation_masks import MASK
from medmodel.data.tables import manifest
from medmodel.data.tables.columns import NO_COLUMNS, Table
from medmodel.data.tables.split_lists import UNUSED, find_lists
from medmodel.data.tables.table_layout import (
    TableFacts,
)
from medmodel.data.tables.table_preview import guess_reading
from medmodel.language import (
    N_,
    SOURCE,
    _,
    speaking,
)

NO_MASK = N_("no segmentation mask of the same name")
NO_IMAGE = N_("a segmentation mask without an image of the same name")


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
    source = Source(folder, paths, choice.folders, ignored)
    facts, sentences = find_facts(source, tables, others)
    unlabelled = [table.path for table in tables if not table.has_labels]
    names = [path.relative_to(folder).as_posix() for path in unlabelled]
    names += [path for path in unread if path not in used]
    unknown = [name for name in names if name not in choice.tables]
    _check_understood(folder, facts, unknown, paths)
    names_of_classes = [fact.label for fact in facts.values()]
    multi_label = any(table.multi_label for table in tables)
    if multi_label:
        labels, findings = spelled_findings(names_of_classes, ignored)
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
