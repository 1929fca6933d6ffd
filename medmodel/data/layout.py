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

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.core.regular_files import open_data_file
from medmodel.data.folders import allowed, is_text_name
from medmodel.data.layouts.folder_layout import find_layout, label_key
from medmodel.data.layouts.layout_choice import Folders
from medmodel.data.segmentation_masks import MASK, find_masks
from medmodel.data.tables import manifest
from medmodel.data.tables.manifest import Table
from medmodel.data.tables.table_layout import (
    Ignored,
    TableFacts,
    facts_from_tables,
    splits_from_folders,
)

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".webp",
    ".jp2",
    ".j2k",
    ".jls",
    ".jxl",
    ".avif",
    ".heic",
    ".dcm",
    ".nii",
    ".nii.gz",
)
_SYSTEM_FILES = {
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "$recycle.bin",
    "system volume information",
}
"""What systems leave in folders, in small letters; they show none of it."""
_NO_IMAGES = re.compile(
    r"(?i)(?:.+\.(?:csv|tsv|tab|txt|md|rst|rtf|json|jsonl|xml|html?|pdf|docx?|xlsx?|pptx?"
    r"|zip|rar|7z|tar|tgz|bz2|xz|py|ipynb|m|r|sh|bat|exe|ini|cfg|ya?ml|toml|log|db|sqlite"
    r"|npy|npz|h5|hdf5|pkl|mat|parquet|mp4|avi|mov|mp3|wav|lnk|url)"
    r"|read.?me|licen[sc]e|changelog|makefile|dockerfile|dicomdir|version|copying|notice)"
)
"""Names of files that say nothing of the layout."""
_MOST_PEEKS = 200
"""Folders of files without a usual suffix that are looked into."""
_COUNTS_AS = "counts as class "
NOT_AN_IMAGE = "not an image"
_ORDINARY = {"hidden", NOT_AN_IMAGE}
"""Reasons that need no attention."""


class FileEntry(NamedTuple):
    """One file that may be an image, before it is opened; named as in `samples`."""

    path: str
    label: str
    split: str
    bytes: int
    mtime_ns: int
    patient: str = ""


def list_files(folder: Path) -> tuple[list[FileEntry], Ignored]:
    """Finds a data set's files; opens its tables, and no image as a rule.

    Classes that differ only in capitals, spaces or in Unicode composition are the same;
    links are followed where they lead into the data folders.

    Returns:
        Every file that may be an image, and (path, reason) of all else.

    Raises:
        DataError: A table describes the folder and cannot be used, or folders may be
            understood in two ways.
    """
    ignored: Ignored = []
    entries = list(_walk(folder, (), ignored, {folder}))
    stats = {parts: stat for parts, stat in entries if stat is not None}
    masks = find_masks(stats)
    ignored += [("/".join(parts), MASK) for parts in sorted(masks)]
    paths = ["/".join(parts) for parts in stats if parts not in masks]
    tables, others = manifest.find_tables(folder, paths)
    used = {table.path.relative_to(folder).as_posix() for table in tables}
    paths = [path for path in paths if path not in used]
    facts = _facts(folder, tables, others, paths, ignored)
    labels = _one_spelling([fact.label for fact in facts.values()], ignored)
    files = []
    for path, fact in sorted(facts.items()):
        stat = stats[tuple(path.split("/"))]
        files.append(
            FileEntry(
                samples.join(path),
                labels[fact.label],
                fact.split,
                stat.st_size,
                stat.st_mtime_ns,
                patient_pseudonym(fact.patient),
            )
        )
    holding = {parts[:n] for parts in stats for n in range(len(parts))}
    empty = (parts for parts, stat in entries if stat is None and parts not in holding)
    ignored += [("/".join(d) + "/", "folder without files of a class") for d in empty]
    return files, ignored


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
            merged.append(f"{path!r} {reason}.")
        else:
            first.setdefault(reason, path)
            counts[reason] += 1
    ordinary = sum(counts.pop(reason, 0) for reason in _ORDINARY)
    parts = [
        f"{_files(n)}, first {first[reason]} ({reason})"
        if n > 1
        else f"{first[reason]} ({reason})"
        for reason, n in counts.most_common(3)
    ]
    rest = counts.total() - sum(n for _, n in counts.most_common(3))
    if rest:
        parts.append(f"{_files(rest)} for other reasons")
    if ordinary and parts:
        parts.append(f"hidden or no images: {_files(ordinary)}")
    sentences = [f"Left out: {'; '.join(parts)}."] if parts else []
    return " ".join(sentences + merged[:3])


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _facts(
    folder: Path,
    tables: Sequence[Table],
    others: Ignored,
    paths: Sequence[str],
    ignored: Ignored,
) -> dict[str, TableFacts]:
    """Class, split and patient of every file that can be used.

    Raises:
        DataError: As `list_files`.
    """
    labelled = [table for table in tables if table.has_labels]
    if labelled and all(table.weak for table in labelled):
        by_folder = _facts_if_classes(folder, paths, ignored)
        if by_folder:
            ignored += [
                (t.path.name, f"column {t.weak!r} is not used: the folders are classes")
                for t in labelled
            ]
            return by_folder
    facts, reasons = facts_from_tables(folder, labelled, paths)
    if labelled and not facts:
        facts = _facts_beside(folder, labelled, paths, reasons, ignored)
    elif labelled:
        ignored += reasons
        ignored += _unused_columns(labelled)
        usable = {path for path, _ in reasons}
        named = " or ".join(table.path.name for table in labelled[:3])
        ignored += [
            (path, f"not named in {named}")
            for path in paths
            if path not in facts and path not in usable
        ]
        if not any(table.has_splits for table in labelled):
            facts = _with_folder_splits(facts, ignored)
    else:
        facts = _facts_from_folders(folder, paths, ignored)
        why = dict(others)
        ignored[:] = [(path, why.get(path, reason)) for path, reason in ignored]
    return _supplemented(folder, tables, facts, ignored)


def _facts_beside(
    folder: Path,
    tables: Sequence[Table],
    paths: Sequence[str],
    reasons: Ignored,
    ignored: Ignored,
) -> dict[str, TableFacts]:
    """What folders say where tables name nothing that is here.

    Raises:
        DataError: They hold no classes.
    """
    absent = [name for name, reason in reasons if reason.endswith("not there")]
    name = tables[0].path.name
    if absent:
        said = f"names {_files(len(absent))} that are not here, first {absent[0]}"
    else:
        said = f"names no file that can be used: {reasons[0][1]}" if reasons else ""
        said = said or "names no file"
    facts = _facts_if_classes(folder, paths, ignored)
    if not facts:
        raise DataError(
            f"{name} {said}. The paths in it must be those of the files beside it."
        )
    ignored.append((name, f"{said}; the folders count"))
    return facts


def _facts_if_classes(
    folder: Path, paths: Sequence[str], ignored: Ignored
) -> dict[str, TableFacts]:
    """What the folders say, if they are classes; else nothing."""
    reasons: Ignored = []
    try:
        facts = _facts_from_folders(folder, paths, reasons)
    except DataError:
        return {}
    if len({label_key(fact.label) for fact in facts.values()}) < 2:
        return {}
    ignored += reasons
    return facts


def _unused_columns(tables: Sequence[Table]) -> Ignored:
    return [
        (table.path.name, f"column {column!r} is not used as the label")
        for table in tables
        for column in table.unused
    ]


def _with_folder_splits(
    facts: Mapping[str, TableFacts], ignored: Ignored
) -> dict[str, TableFacts]:
    """The facts with the splits that the files' folders say, if any does."""
    splits = splits_from_folders(facts)
    strict = "train" in splits.values()
    outside = {path for path, split in splits.items() if strict and not split}
    ignored += [(path, "not in train, val or test") for path in sorted(outside)]
    return {
        path: fact._replace(split=splits.get(path, ""))
        for path, fact in facts.items()
        if path not in outside
    }


def _facts_from_folders(
    folder: Path, paths: Sequence[str], ignored: Ignored
) -> dict[str, TableFacts]:
    files = [tuple(path.split("/")) for path in paths]
    layout = find_layout(_image_folders(folder, files))
    places: dict[Folders, tuple[str, str] | str] = {}
    facts = {}
    for parts, path in zip(files, paths, strict=True):
        place = places.get(parts[:-1]) or layout.label_and_split(parts[:-1])
        places[parts[:-1]] = place
        if not isinstance(place, str):
            facts[path] = TableFacts(*place)
        elif _NO_IMAGES.fullmatch(parts[-1]):
            ignored.append((path, NOT_AN_IMAGE))
        else:
            ignored.append((path, place))
    return facts


def _image_folders(folder: Path, files: Sequence[tuple[str, ...]]) -> set[Folders]:
    """The folders that hold images, by suffixes, else by a look into a file of each."""
    likely = [f for f in files if not _NO_IMAGES.fullmatch(f[-1])]
    certain = {f[:-1] for f in likely if f[-1].lower().endswith(IMAGE_SUFFIXES)}
    peeked: dict[Folders, bool] = {}
    for parts in likely:
        above = parts[:-1]
        if above in certain or above in peeked:
            continue
        peeked[above] = len(peeked) >= _MOST_PEEKS or _is_image(folder, "/".join(parts))
    images = certain | {above for above, image in peeked.items() if image}
    return images or {f[:-1] for f in files}


def _is_image(folder: Path, path: str) -> bool:
    from medmodel.imaging import images  # not where only names are wanted

    try:
        with open_data_file(folder, path) as file:
            return images.find_reader(file.read(images.HEAD)) is not None
    except OSError:
        return False


def _supplemented(
    folder: Path,
    tables: Sequence[Table],
    facts: dict[str, TableFacts],
    ignored: Ignored,
) -> dict[str, TableFacts]:
    """The facts with patients and splits of tables that know no labels."""
    for table in tables:
        if table.has_labels:
            continue
        more, reasons = facts_from_tables(folder, [table], list(facts))
        if not more:
            ignored.append((table.path.name, "names no file that is here"))
            continue
        ignored += reasons
        for path, fact in list(facts.items()):
            known = more.get(path, TableFacts())
            if table.has_splits and not known.split:
                ignored.append((path, f"no split in {table.path.name}"))
                del facts[path]
                continue
            facts[path] = TableFacts(
                fact.label, known.split or fact.split, fact.patient or known.patient
            )
    return facts


def _one_spelling(labels: Sequence[str], ignored: Ignored) -> dict[str, str]:
    """Label -> its class; labels that look alike are one, which is said."""
    first: dict[str, str] = {}
    merged = {}
    for label in dict.fromkeys(labels):
        key = label_key(label) or label
        merged[label] = unicodedata.normalize("NFC", first.setdefault(key, label))
    shared = Counter(merged.values())
    for label, name in merged.items():
        if shared[name] > 1:
            merged[label] = " ".join(name.split())
    for label, name in merged.items():
        if unicodedata.normalize("NFC", label) != name:
            ignored.append((label, f"{_COUNTS_AS}{name!r}, which looks alike"))
    return merged


def _walk(
    folder: Path,
    parts: tuple[str, ...],
    ignored: list[tuple[str, str]],
    seen: set[Path],
) -> Iterator[tuple[tuple[str, ...], os.stat_result | None]]:
    """Yields (parts of the path, stat) of files, and (parts, None) of folders."""
    try:
        with os.scandir(folder.joinpath(*parts)) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        ignored.append(("/".join(parts) + "/", str(error.strerror)))
        return
    for entry in ordered:
        here = (*parts, entry.name)
        inside, stat = False, None
        try:
            reason = _reason_to_ignore(entry, folder, seen)
            inside = entry.is_dir()
            stat = None if reason or inside else entry.stat()
        except RuntimeError:  # Python before 3.13, of a link that leads to itself
            reason = "a link to nothing"
        except OSError as error:  # gone since it was listed, or not to be looked at
            reason = str(error.strerror)
        if reason:
            shown = "/".join(here).encode("utf-8", "replace").decode()
            ignored.append((shown + "/" * inside, reason))
            continue
        yield here, stat
        if inside:
            yield from _walk(folder, here, ignored, seen)


def is_system_file(name: str) -> bool:
    """Whether systems hide a file or folder of this name."""
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES


def _reason_to_ignore(entry: os.DirEntry[str], folder: Path, seen: set[Path]) -> str:
    if is_system_file(entry.name):
        return "hidden"
    if not is_text_name(entry.name):
        return "its name is not valid text"
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        if not target.exists():
            return "a link to nothing"
        if not (target.is_relative_to(folder) or allowed(target)):
            return "a link to a place outside the data folders"
        if target.is_dir():
            if target in seen or folder.is_relative_to(target):
                return "a link to a folder that is already in"
            seen.add(target)
    return "" if entry.is_dir() or entry.is_file() else "not a file"
