"""Data sets that come from a browser: a ZIP file or a folder's files, safely.

What is uploaded is copied in pieces into a folder with a temporary name, which gets its
own when all is well: a data set is there as a whole or not at all. Names inside an
archive are never trusted: none leads out of the folder, none is a link, no two become
the same file, and no more is unpacked than was allowed, whatever the archive says.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from medmodel.core.environment import workspace_root
from medmodel.core.errors import MALFORMED, DataError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import read_json, write_json
from medmodel.data.archives import zip_names, zip_reader
from medmodel.data.archives.zip_reader import ZipEntry
from medmodel.data.datasets import index_folder
from medmodel.data.folders import is_text_name
from medmodel.data.layouts.listing import is_system_file
from medmodel.data.tables import manifest
from medmodel.language import N_, _, translate

MOST_FILES = 300_000
MOST_BYTES = 50 * 2**30
"""Of all files together, unpacked."""
SPARE = 2**30
"""Bytes of the disk that an import leaves free for everything else."""
_PIECE = 2**20
_LONGEST = 255
"""Bytes of one part of a path, as file systems allow."""
_DEEPEST = 32
_LONGEST_PATH = 2_000
"""Bytes of a path inside a data set; systems allow about twice that in all."""
_MOST_RATIO = 100
"""Times that a large archive may grow; images and scans stay below 20."""
_SKIPPED = "import.json"
_MOST_NOTED = 500
_BAD_NAMES = {
    errno.EEXIST: N_("another file has the same name"),
    errno.ENOTDIR: N_("another file has the same name"),
    errno.EISDIR: N_("another file has the same name"),
    errno.ENAMETOOLONG: N_("its name is too long"),
    errno.EILSEQ: N_("its name is not valid text"),
}
"""What a disk says of a name that it does not take: that file's fault alone."""
_Opener = Callable[[], Iterable[bytes]]
Named = Iterable[tuple[str, BinaryIO]]
"""(relative path, open file)"""
BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)
"""What zipfile raises on damaged files; trouble with the disk is told otherwise."""


@dataclass(frozen=True)
class Imported:
    """A data set that has been brought in.

    Args:
        folder: Where it lies now.
        files: Number of files.
        skipped: (name, reason) of what was left out.
    """

    folder: Path
    files: int
    skipped: list[tuple[str, str]]


def import_zip(
    archive: BinaryIO, name: str, job: Job = UNATTENDED, encoding: str = ""
) -> Imported:
    """Unpacks a ZIP file as a new data set.

    Args:
        archive: The file, open for reading; must be seekable.
        name: What to call the data set; a number is added if the name is taken.
        job: Told ("importing", done, total) in files.
        encoding: Of names that do not say it themselves, one of
            `zip_names.ENCODINGS`; "": guessed.

    Raises:
        DataError: It is no ZIP file, damaged, encrypted, packed in a rare way, or holds
            too much or nothing.
        Cancelled: By the job; nothing is left behind.
        OSError: The disk is full or fails.
    """
    try:
        entries = zip_reader.read_entries(archive, MOST_FILES)
        names = zip_names.decode_names(entries, encoding)
        zip_reader.check_readable(entries, [_shown(name) for name in names])
        _check_size(entries, archive.seek(0, 2))
        sources = (
            (path, _special(entry), _unpacking(archive, entry))
            for path, entry in zip(names, entries, strict=True)
        )
        return _copy_all(sources, name, len(entries), job)
    except zip_reader.TooManyEntries as error:
        raise DataError(
            _("These are more than {most:,} files.", most=MOST_FILES)
        ) from error
    except zipfile.BadZipFile as error:
        raise DataError(
            _(
                "{name} cannot be unpacked: {reason}. Pack it again as an ordinary "
                "ZIP file, or send the folder.",
                name=name,
                reason=error,
            )
        ) from error


def name_encodings(archive: BinaryIO) -> dict[str, list[str]]:
    """Encodings that the names in a ZIP file may have -> some names read so.

    Returns:
        The likeliest first; empty where the names are certain, or it is no ZIP file.
    """
    try:
        entries = zip_reader.read_entries(archive, MOST_FILES)
    except zipfile.BadZipFile:
        return {}
    unsure = zip_names.uncertain_names(entries)
    folders = list(dict.fromkeys(n.rpartition(b"/")[0] or n for n in unsure))[:6]
    return {
        encoding: [folder.decode(encoding, "replace") for folder in folders]
        for encoding in (zip_names.guess_encodings(unsure) if unsure else [])
    }


def import_files(
    files: Named,
    name: str,
    total: int = 0,
    job: Job = UNATTENDED,
) -> Imported:
    """Copies files with their relative paths as a new data set.

    Args:
        files: (relative path, open file).
        name: What to call the data set; a number is added if the name is taken.
        total: How many there are, if known.
        job: Told ("importing", done, total).

    Raises:
        DataError: There is too much, or nothing.
        Cancelled: By the job; nothing is left behind.
        OSError: The disk is full or fails.
    """
    sources = ((path, "", _given(file)) for path, file in files)
    return _copy_all(sources, name, total, job)


def plain_name(text: str) -> str:
    """A folder's name made of what somebody typed or a file was called."""
    text = unicodedata.normalize("NFC", text).replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(c for c in text if c.isprintable() and c not in '/:*?"<>|')
    return printable.strip(" .")[:80].strip(" .") or "Imported"


def remove_leftovers() -> None:
    """Removes what an import left that was killed; those at work hold a lock."""
    for path in _home().glob(".importing-*"):
        lock = path.with_suffix(".lock")
        if not locked(lock):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)


def check_room(size: int) -> None:
    """Raises `DataError` where the disk has no room for so many bytes more."""
    if shutil.disk_usage(_home()).free - SPARE < size:
        raise too_much()


def _home() -> Path:
    home = workspace_root() / "datasets"
    home.mkdir(parents=True, exist_ok=True)
    return home


def room() -> int:
    """Bytes that may be written, 0 or more."""
    return max(min(MOST_BYTES, shutil.disk_usage(_home()).free - SPARE), 0)


def too_much() -> DataError:
    """What to say of more than there is room for."""
    return DataError(
        _(
            "There is room for {gigabytes:.1f} GB, and this is more. Put the folder "
            "on the server's disk instead.",
            gigabytes=room() / 2**30,
        )
    )


def _check_size(entries: Sequence[ZipEntry], packed: int) -> None:
    """Raises `DataError` where it would unpack to more than there is room for."""
    size = sum(entry.size for entry in entries)
    if size > room():
        raise too_much()
    if size > max(packed * _MOST_RATIO, SPARE):
        raise DataError(
            _(
                "{megabytes:.1f} MB would unpack to {gigabytes:.1f} GB: no images are "
                "packed so tightly. Put the folder on the server's disk instead.",
                megabytes=packed / 2**20,
                gigabytes=size / 2**30,
            )
        )


def _special(entry: ZipEntry) -> str:
    """Why an entry is no plain file; empty if it is one."""
    kind = stat.S_IFMT(entry.mode)
    return "" if kind in (0, stat.S_IFREG) else N_("a link or a device")


def _unpacking(archive: BinaryIO, entry: ZipEntry) -> _Opener:
    return lambda: zip_reader.content(archive, entry)


def _given(file: BinaryIO) -> _Opener:
    return lambda: iter(lambda: file.read(_PIECE), b"")


def _shown(path: str) -> str:
    """A name that can be shown whatever is in it."""
    return path[:200].encode("utf-8", "replace").decode()


def _copy_all(
    sources: Iterable[tuple[str, str, _Opener]],
    name: str,
    total: int,
    job: Job,
) -> Imported:
    """Copies (path, reason to leave it out, opener) to a folder, then names it."""
    remove_leftovers()
    place = _home() / f".importing-{uuid.uuid4().hex}"
    lock = Lock(place.with_suffix(".lock"))
    lock.acquire()
    place.mkdir()
    skipped: list[tuple[str, str]] = []
    taken: set[str] = set()
    done, left = 0, room()
    try:
        for path, reason, opener in sources:
            parts = _parts(path)
            reason = reason or _reason(path, parts, taken)
            if not reason:
                try:
                    left -= copy_pieces(
                        opener(), place.joinpath(*parts), left, too_much
                    )
                except OSError as error:
                    if error.errno not in _BAD_NAMES:
                        raise
                    reason = _BAD_NAMES[error.errno]
            if reason:
                skipped.append((_shown(path), reason))
            else:
                done += 1
            if done + len(skipped) > MOST_FILES:
                raise DataError(
                    _(
                        "These are more than {most:,} files.",
                        most=MOST_FILES,
                    )
                )
            job.progress("importing", done + len(skipped), total)
            job.check()
        if not done:
            if not skipped:
                raise DataError(_("{name} holds no file that can be used.", name=name))
            raise DataError(
                _(
                    "{name} holds no file that can be used: {file} is left out, "
                    "{reason}.",
                    name=name,
                    file=skipped[0][0],
                    reason=translate(skipped[0][1]),
                )
            )
        folder = _settle(_unwrapped(place), name)
        _note_skipped(folder, skipped)
        return Imported(folder, done, skipped)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        lock.path.unlink(missing_ok=True)
        lock.release()


def skipped_files(folder: Path) -> list[tuple[str, str]]:
    """(name, reason) of what an import left out of this data set."""
    try:
        notes = read_json(index_folder(folder) / _SKIPPED)
        return [(str(name), str(reason)) for name, reason in (notes or {})["skipped"]]
    except MALFORMED:  # none, or damaged: it only informs
        return []


def _note_skipped(folder: Path, skipped: Sequence[tuple[str, str]]) -> None:
    place = index_folder(folder)
    if skipped:
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / _SKIPPED, {"skipped": skipped[:_MOST_NOTED]})
    else:
        (place / _SKIPPED).unlink(missing_ok=True)


def _parts(path: str) -> list[str]:
    path = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return [part for part in path.split("/") if part not in ("", ".")]


def _reason(path: str, parts: list[str], taken: set[str]) -> str:
    """Why a file is left out; notes its name as taken."""
    if not parts or ".." in parts or path[:1] in "/\\" or parts[0][1:2] == ":":
        return N_("its name leads out of the folder")
    if any(map(is_system_file, parts)):
        return N_("hidden")
    if not all(map(is_text_name, parts)):
        return N_("its name is not valid text")
    lengths = [len(os.fsencode(part)) for part in parts]
    if len(parts) > _DEEPEST or max(lengths) > _LONGEST or sum(lengths) > _LONGEST_PATH:
        return N_("its name is too long")
    whole = "/".join(parts)
    if whole in taken:
        return _BAD_NAMES[errno.EEXIST]
    taken.add(whole)
    return ""


def copy_pieces(
    pieces: Iterable[bytes],
    target: Path,
    room: int,
    refusal: Callable[[], DataError],
) -> int:
    """Copies in pieces; returns the bytes.

    Args:
        pieces: The file's content.
        target: A file that is not there yet; its folder is made.
        room: Bytes above which it is not copied.
        refusal: What is raised then.

    Raises:
        DataError: There are more than `room`, whatever was announced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("xb") as file:
        for piece in pieces:
            size += len(piece)
            if size > room:
                raise refusal()
            file.write(piece)
    return size


def _unwrapped(place: Path) -> Path:
    """The folder itself, or the only one in it, as archives often wrap their files."""
    inside = list(place.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        below = list(inside[0].iterdir())
        tables = any(p.name.casefold().endswith(manifest.SUFFIXES) for p in below)
        if tables or sum(p.is_dir() for p in below) > 1:
            return inside[0]
    return place


def _settle(place: Path, name: str) -> Path:
    """Gives a finished folder its name, the first that is free."""
    base = plain_name(Path(name).stem if name.lower().endswith(".zip") else name)
    for number in range(1, 1000):
        target = _home() / (base if number == 1 else f"{base} ({number})")
        if target.exists():
            continue
        try:
            return place.rename(target)
        except OSError:
            if not target.exists():  # else another import was faster
                raise
    raise DataError(
        _("There are too many data sets called {base}: choose another name.", base=base)
    )
