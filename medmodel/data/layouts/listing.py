"""Files of a data set's folder by their names, and which folders hold images.

Nothing is followed out of the data folders, and hidden files and those of systems are
left out with a reason.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.errors import os_reason
from medmodel.core.regular_files import open_data_file
from medmodel.data.folders import allowed, is_text_name
from medmodel.data.layouts.layout_choice import Folders
from medmodel.data.segmentation_masks import MASK, find_masks
from medmodel.imaging.nifti.pair import HEADERS, VOXELS, header_beside, is_voxels
from medmodel.language import N_, _

Ignored = list[tuple[str, str]]
"""(path or name, reason)"""
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
    *VOXELS,
)
_SYSTEM_FILES = {
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "recycler",
    "#recycle",
    "@recycle",
    "#snapshot",
    "lost+found",
    "found.000",
    "network trash folder",
    "temporary items",
    "__pycache__",
    "node_modules",
}
"""What systems leave in folders, in small letters; they show none of it."""
_NO_IMAGES = re.compile(
    r"(?i)(?:.+\.(?:csv|tsv|tab|txt|md|rst|rtf|json|jsonl|xml|html?|pdf|docx?|xlsx?|pptx?"
    r"|py|ipynb|m|r|sh|bat|exe|ini|cfg|ya?ml|toml|log|db|sqlite"
    r"|npy|npz|h5|hdf5|pkl|mat|parquet|mp4|avi|mov|mp3|wav|lnk|url)"
    r"|read.?me|licen[sc]e|changelog|makefile|dockerfile|dicomdir|version|copying|notice)"
)
"""Names of files that say nothing of the layout."""
_ARCHIVE = re.compile(
    r"(?i).+\.(?:zip|rar|7z|tar|tgz|tbz2?|txz|bz2|xz|zst"
    r"|(?:csv|tsv|tab|txt|json|xml|tar|png|jpe?g|tiff?|dcm)\.gz)"
)
NOT_AN_IMAGE = N_("not an image")
ARCHIVE = N_("packed: unpack it")
_MOST_PEEKS = 200
"""Folders of files without a usual suffix that are looked into."""


@dataclass(frozen=True)
class Listing:
    """What lies in a data set's folder.

    Args:
        folder: Absolute path, its links resolved.
        stats: Parts of the path of each file -> its size and time.
        paths: The files that may be images or tables, relative, posix.
        headers: File of the voxels of a NIfTI pair -> file of its header.
        empty: Folders without any file below them.
        ignored: (path, reason) of what is left out.
    """

    folder: Path
    stats: dict[tuple[str, ...], os.stat_result]
    paths: list[str]
    headers: dict[tuple[str, ...], tuple[str, ...]]
    empty: list[Folders]
    ignored: Ignored


def list_folder(folder: Path) -> Listing:
    """Finds all files of a data set's folder; opens none."""
    ignored: Ignored = []
    entries = list(_walk(folder, (), ignored, {folder}))
    stats = {parts: stat for parts, stat in entries if stat is not None}
    masks = find_masks(stats)
    ignored += [("/".join(parts), MASK) for parts in sorted(masks)]
    headers = _headers_of_pairs(stats)
    no_images = masks | set(headers.values())
    paths = ["/".join(parts) for parts in stats if parts not in no_images]
    holding = {parts[:n] for parts in stats for n in range(len(parts))}
    empty = [parts for parts, stat in entries if stat is None and parts not in holding]
    return Listing(folder, stats, paths, headers, empty, ignored)


def _headers_of_pairs(
    files: Iterable[tuple[str, ...]],
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """File of voxels -> its header beside it, for NIfTI volumes in two files."""
    names: dict[Folders, list[str]] = defaultdict(list)
    voxels = []
    for *above, name in files:
        if name.casefold().endswith(HEADERS):
            names[tuple(above)].append(name)
        elif is_voxels(name):
            voxels.append((tuple(above), name))
    found = {(*a, name): (*a, header_beside(name, names[a])) for a, name in voxels}
    return {file: header for file, header in found.items() if header[-1]}


def is_no_image(name: str) -> bool:
    """Whether a file's name says that it is something else than an image."""
    return why_no_image(name) is not None


def why_no_image(name: str) -> str | None:
    """Why a file of this name holds no image; None where it may."""
    if _ARCHIVE.fullmatch(name):
        return ARCHIVE
    return NOT_AN_IMAGE if _NO_IMAGES.fullmatch(name) else None


def image_folders(folder: Path, files: Sequence[tuple[str, ...]]) -> set[Folders]:
    """The folders that hold images, by suffixes, else by a look into a file of each."""
    likely = [f for f in files if not is_no_image(f[-1])]
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
        ignored.append(("/".join(parts) + "/", os_reason(error)))
        return
    for entry in ordered:
        here = (*parts, entry.name)
        inside, stat = False, None
        try:
            reason = _reason_to_ignore(entry, folder, seen)
            inside = entry.is_dir()
            stat = None if reason or inside else entry.stat()
        except RuntimeError:  # Python before 3.13, of a link that leads to itself
            reason = _("a link to nothing")
        except OSError as error:  # gone since it was listed, or not to be looked at
            reason = os_reason(error)
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
        return N_("hidden")
    if not is_text_name(entry.name):
        return _("its name is not valid text")
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        if not target.exists():
            return _("a link to nothing")
        if not (target.is_relative_to(folder) or allowed(target)):
            return _("a link to a place outside the data folders")
        if target.is_dir():
            if target in seen or folder.is_relative_to(target):
                return _("a link to a folder that is already in")
            seen.add(target)
    return "" if entry.is_dir() or entry.is_file() else _("not a file")
