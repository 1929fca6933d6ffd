"""Data sets that come from a browser: a ZIP file or a folder's files, safely.

What is uploaded is copied in pieces into a folder with a temporary name, which gets its
own when all is well: a data set is there as a whole or not at all. Names inside an
archive are never trusted: none leads out of the folder, none is a link, no two become
the same file, and no more is unpacked than was allowed, whatever the archive says.
"""

from __future__ import annotations

import os
import shutil
import stat
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.storage import Lock, locked

MOST_FILES = 300_000
MOST_BYTES = 50 * 2**30
"""Of all files together, unpacked."""
SPARE = 2**30
"""Bytes of the disk that an import leaves free for everything else."""
_PIECE = 2**20
_LONGEST = 255
"""Bytes of one part of a path, as file systems allow."""
_DEEPEST = 32
_Opener = Callable[[], AbstractContextManager[IO[bytes]]]
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


def import_zip(archive: BinaryIO, name: str, job: Job = UNATTENDED) -> Imported:
    """Unpacks a ZIP file as a new data set.

    Args:
        archive: The file, open for reading; must be seekable.
        name: What to call the data set; a number is added if the name is taken.
        job: Told ("importing", done, total) in files.

    Raises:
        DataError: It is no ZIP file, damaged, encrypted, or holds too much or nothing.
        Cancelled: By the job; nothing is left behind.
        OSError: The disk is full or fails.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [e for e in opened.infolist() if not e.is_dir()]
            if sum(e.file_size for e in entries) > room():
                raise too_much()
            if any(e.flag_bits & 1 for e in entries):
                raise DataError(f"{name} is encrypted: unpack it and send the folder.")
            sources = ((e.filename, _special(e), _opener(opened, e)) for e in entries)
            return _copy_all(sources, name, len(entries), job)
    except BAD_ZIP as error:
        raise DataError(
            f"{name} cannot be unpacked: it is no ZIP file, damaged, or packed in a "
            "rare way."
        ) from error


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
        f"There is room for {room() / 2**30:.1f} GB, and this is more. Put "
        "the folder on the server's disk instead."
    )


def _special(entry: zipfile.ZipInfo) -> str:
    """Why an entry is no plain file; empty if it is one."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return "" if kind in (0, stat.S_IFREG) else "a link or a device"


def _opener(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Opener:
    return lambda: opened.open(entry)


def _given(file: BinaryIO) -> _Opener:
    return lambda: nullcontext(file)


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
            if reason:
                skipped.append((path[:200], reason))
            else:
                with opener() as content:
                    left -= _copy(content, place.joinpath(*parts), left)
                done += 1
            if done + len(skipped) > MOST_FILES:
                raise DataError(f"These are more than {MOST_FILES:,} files.")
            job.progress("importing", done + len(skipped), total)
            job.check()
        if not done:
            raise DataError(f"{name} holds no file that can be used.")
        return Imported(_settle(_unwrapped(place), name), done, skipped)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        lock.path.unlink(missing_ok=True)
        lock.release()


def _parts(path: str) -> list[str]:
    path = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return [part for part in path.split("/") if part not in ("", ".")]


def _reason(path: str, parts: list[str], taken: set[str]) -> str:
    """Why a file is left out; notes its name, and its folders', as taken."""
    if not parts or ".." in parts or path[:1] in "/\\" or parts[0][1:2] == ":":
        return "its name leads out of the folder"
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return "hidden"
    if len(parts) > _DEEPEST or any(len(os.fsencode(p)) > _LONGEST for p in parts):
        return "its name is too long"
    if not all(part.isprintable() for part in parts):
        return "its name is not valid text"
    # Some file systems do not tell capitals apart, and a file is no folder.
    whole = "/".join(parts).casefold()
    above = ["/".join(parts[:n]).casefold() for n in range(1, len(parts))]
    if whole in taken or whole + "/" in taken or any(a in taken for a in above):
        return "another file has the same name"
    taken.add(whole)
    taken.update(a + "/" for a in above)
    return ""


def _copy(content: IO[bytes], target: Path, room: int) -> int:
    """Copies in pieces; returns the bytes.

    Raises:
        DataError: There are more than `room`, whatever was announced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("xb") as file:
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > room:
                raise too_much()
            file.write(piece)
    return size


def _unwrapped(place: Path) -> Path:
    """The folder itself, or the only one in it, as archives often wrap their files."""
    inside = list(place.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        below = list(inside[0].iterdir())
        if sum(p.is_dir() for p in below) > 1 or any(p.suffix == ".csv" for p in below):
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
    raise DataError(f"There are too many data sets called {base}: choose another name.")
