"""Which file of a folder belongs to which class and split, read off the folders.

cells/basophil/1.png                 classes
xray/train/NORMAL/1.png              splits, then classes
xray/NORMAL/train/1.png              classes, then splits
download/xray/train/NORMAL/p1/1.png  with folders around and below
labels.csv                           file,label[,patient][,split] beside any folders
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from medmodel.core import samples
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.data import manifest
from medmodel.data.folders import allowed

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "val_set": "val",
    "test": "test",
    "testing": "test",
    "test_set": "test",
}
"""How people call the three splits, in small letters."""

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


class FileEntry(NamedTuple):
    """One file that may be an image, before it is opened; named as in `samples`."""

    path: str
    label: str
    split: str
    bytes: int
    mtime_ns: int
    patient: str = ""


def list_files(folder: Path) -> tuple[list[FileEntry], list[tuple[str, str]]]:
    """Finds a data set's files; opens none.

    Classes and splits that differ only in capitals or in Unicode composition are the
    same; links are followed where they lead into the data folders.

    Returns:
        Every file that may be an image, and (path, reason) of all else.

    Raises:
        DataError: A table describes the folder and cannot be read.
    """
    ignored: list[tuple[str, str]] = []
    entries = list(_walk(folder, (), ignored, {folder}))
    table = manifest.find_table(folder)
    if table is not None:
        return _list_table(table, entries, ignored), ignored
    directories = [parts for parts, stat in entries if stat is None]
    layout = _find_layout([parts for parts, stat in entries if stat is not None])
    files = []
    named: dict[str, str] = {}
    used: set[tuple[str, ...]] = set()
    for parts, stat in entries:
        if stat is None:
            continue
        place = layout.label_and_split(parts[:-1])
        path = "/".join(parts)
        if place is None:
            ignored.append((path, "not in a class folder"))
            continue
        used.update(parts[:n] for n in range(len(parts)))
        label, split = place
        label = named.setdefault(unicodedata.normalize("NFC", label).casefold(), label)
        label = unicodedata.normalize("NFC", label)
        name = samples.join(path)
        files.append(FileEntry(name, label, split, stat.st_size, stat.st_mtime_ns))
    empty = (d for d in directories if d not in used)
    ignored += [("/".join(d) + "/", "folder without files of a class") for d in empty]
    return files, ignored


def _list_table(
    table: Path,
    entries: Sequence[tuple[tuple[str, ...], os.stat_result | None]],
    ignored: list[tuple[str, str]],
) -> list[FileEntry]:
    """The files that a table names; adds the others to `ignored`."""
    stats = {"/".join(parts): stat for parts, stat in entries if stat is not None}
    composed = {unicodedata.normalize("NFC", path): path for path in stats}
    files: dict[str, FileEntry] = {}
    for row in manifest.read_table(table):
        path = composed.get(os.path.normpath(row.file.replace("\\", "/")), "")
        stat = stats.get(path)
        if stat is None:
            ignored.append((row.file[:200], f"named in {table.name}, but not there"))
        elif path in files and files[path].label != row.label:
            ignored.append(
                (path, f"named twice in {table.name}; the first line counts")
            )
        elif path not in files:
            split = _split_name(row.split)
            patient = patient_pseudonym(row.patient)
            facts = (stat.st_size, stat.st_mtime_ns, patient)
            files[path] = FileEntry(samples.join(path), row.label, split, *facts)
    reason = f"not named in {table.name}"
    ignored += [(p, reason) for p in stats if p not in files and p != table.name]
    return sorted(files.values())


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


def _reason_to_ignore(entry: os.DirEntry[str], folder: Path, seen: set[Path]) -> str:
    if entry.name.startswith(".") or entry.name == "__MACOSX":
        return "hidden"
    if not entry.name.isprintable() or "\ufffd" in entry.name:
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


def _split_name(part: str) -> str:
    return SPLIT_NAMES.get(part.strip().casefold(), "")


class _Layout(NamedTuple):
    """How the folders of a data set are to be understood.

    Args:
        start: Number of folders around the data set ("download/xray/train/...": 2).
        splits_first: Whether splits hold classes.
    """

    start: int
    splits_first: bool

    def label_and_split(self, folders: tuple[str, ...]) -> tuple[str, str] | None:
        """(label, split) of a file in these folders; None if it has no class."""
        folders = (*folders[self.start :], "", "")
        if self.splits_first:
            split, label = _split_name(folders[0]), folders[1]
            return (label, split) if split and label else None
        return (folders[0], _split_name(folders[1])) if folders[0] else None


def _find_layout(files: Sequence[tuple[str, ...]]) -> _Layout:
    """Understands the folders from the paths of all files in them."""
    likely = [f for f in files if f[-1].lower().endswith(IMAGE_SUFFIXES)]
    files = likely or files
    start = 0
    while True:
        folders = {f[start] for f in files if len(f) > start + 1}
        with_folders = {f[start] for f in files if len(f) > start + 2}
        splits_first = any(_split_name(name) for name in with_folders)
        if splits_first or len(folders) != 1 or not with_folders:
            return _Layout(start, splits_first)
        below = {f[start + 1] for f in files if len(f) > start + 2}
        holds_images = any(len(f) == start + 2 for f in files)
        if all(_split_name(name) for name in below) or holds_images:
            # One class only, or "all/train/..." with more around it.
            inner = {f[start + 2] for f in files if len(f) > start + 3}
            if not inner:
                return _Layout(start, splits_first)
        start += 1
