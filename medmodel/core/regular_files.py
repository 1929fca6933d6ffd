"""Opens regular files only, and only inside a folder: no links out of it, no pipes.

For reading, and for writing what grows; files that are replaced whole get a name of
their own first (`storage.replacing`).

A check of a path says what it was; between the check and the open a link may take its
place. Here every folder on the way is opened relative to the one before, and none of
them may be a link (CWE-22, CWE-59, CWE-367).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from medmodel.core.environment import data_roots
from medmodel.language import _

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


class LinkError(PermissionError):
    """A link stands where none is followed."""


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file for reading, unless it is a link, a pipe, a device or a folder.

    Raises:
        OSError: It is none of the kind, does not exist or cannot be read.
    """
    return os.fdopen(_regular(str(path), str(path), None, os.O_RDONLY), "rb")


def open_beneath(root: Path, relative: str) -> IO[bytes]:
    """Opens a file below a folder for reading, without following any link below it.

    Args:
        root: The folder, which is no link.
        relative: The file's path from there.

    Raises:
        LinkError: A link is on the way.
        PermissionError: The path leads out of the folder.
        OSError: There is no such file, it is no regular one, or it cannot be read.
    """
    with _folder_of(root, relative) as (folder, name):
        handle = _regular(name, f"{root}/{relative}", folder, os.O_RDONLY)
        return os.fdopen(handle, "rb")


def open_for_writing(
    root: Path, relative: str, append: bool = False, buffering: int = -1
) -> IO[bytes]:
    """Opens a file below a folder for writing, without following any link below it.

    Args:
        root: The folder, which is no link.
        relative: The file's path from there; it is made where it is not there.
        append: Whether all is written behind what is there, and that may be read; else
            what is there goes.
        buffering: As of `open`.

    Raises:
        LinkError: A link is on the way or in its place.
        PermissionError: The path leads out of the folder.
        OSError: Something else than a regular file is in its place, or the disk is
            full or fails.
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_APPEND if append else 0)
    with _folder_of(root, relative) as (folder, name):
        handle = _regular(name, f"{root}/{relative}", folder, flags)
        if not append:  # only now: it is certain whose content goes
            os.ftruncate(handle, 0)
        return os.fdopen(handle, "a+b" if append else "r+b", buffering)


def open_data_file(folder: Path, relative: str) -> IO[bytes]:
    """Opens a file of a data set for reading.

    A link is followed where its target lies in the data set or in an allowed root
    (`environment.data_roots`), as when the data set's files were listed.

    Args:
        folder: The data set's folder.
        relative: The file's path from there, as an index or a table names it.

    Raises:
        PermissionError: The path, or what it links to, lies outside.
        OSError: There is no such file, it is no regular one, or it cannot be read.
    """
    with contextlib.suppress(LinkError):  # nearly all: resolving links takes longer
        return open_beneath(folder, relative)
    home = Path(os.path.realpath(folder))
    target = Path(os.path.realpath(home / relative))
    for root in (home, *data_roots()):
        if target.is_relative_to(root):
            return open_beneath(root, str(target.relative_to(root)))
    raise _outside(relative)


def _steps_down(path: str) -> list[str]:
    """The names on a path that can only lead to something below where it starts.

    Raises:
        PermissionError: It may lead elsewhere.
    """
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not names or path.startswith("/") or ".." in names or "\0" in path:
        raise _outside(path)
    return names


@contextlib.contextmanager
def _folder_of(root: Path, relative: str) -> Iterator[tuple[int, str]]:
    """The open folder that a path leads to, no link followed, and the last name."""
    names = _steps_down(relative)
    folder = _open_folder(str(root), None)
    try:
        for name in names[:-1]:
            outer, folder = folder, _open_folder(name, folder)
            os.close(outer)
        yield folder, names[-1]
    finally:
        os.close(folder)


def _open_folder(name: str, parent: int | None) -> int:
    try:
        return os.open(name, _FLAGS | os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise _explained(error, name, parent) from error


def _regular(name: str, path: str, folder: int | None, flags: int) -> int:
    try:
        # A pipe without a writer would keep who opens it waiting for ever.
        flags |= _FLAGS | os.O_NONBLOCK
        handle = os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        raise _explained(error, name, folder) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, _("It is no regular file"), path)
    return handle


def _explained(error: OSError, name: str, folder: int | None) -> OSError:
    """The error, in words where a link is its cause: ELOOP, or ENOTDIR of a folder."""
    with contextlib.suppress(OSError):
        if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
            return LinkError(errno.EACCES, _("A link is not followed"), name)
    return error


def _outside(path: str) -> PermissionError:
    reason = _("It lies outside the folders that may be read")
    return PermissionError(errno.EACCES, reason, path)
