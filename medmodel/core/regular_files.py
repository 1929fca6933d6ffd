"""Opens regular files only, and only inside a folder: no links out of it, no pipes.

A check of a path says what it was; between the check and the open a link may take its
place. Here every folder on the way is opened relative to the one before, and none of
them may be a link (CWE-22, CWE-59, CWE-367).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import IO

from medmodel.core.environment import data_roots

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file for reading, unless it is a link, a pipe, a device or a folder.

    Raises:
        OSError: It is none of the kind, does not exist or cannot be read.
    """
    return _regular(str(path), path, None)


def open_beneath(root: Path, relative: str) -> IO[bytes]:
    """Opens a file below a folder for reading, without following any link below it.

    Args:
        root: The folder, with its links resolved.
        relative: The file's path from there.

    Raises:
        PermissionError: The path leads out of the folder, or through a link.
        OSError: There is no such file, it is no regular one, or it cannot be read.
    """
    if not _leads_down(relative):
        raise _outside(relative)
    names = Path(relative).parts
    with contextlib.ExitStack() as stack:
        folder = _open_folder(stack, str(root), None)
        for name in names[:-1]:
            folder = _open_folder(stack, name, folder)
        return _regular(names[-1], root / relative, folder)


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
    if not _leads_down(relative):
        raise _outside(relative)
    home = Path(os.path.realpath(folder))
    target = Path(os.path.realpath(home / relative))
    for root in (home, *data_roots()):
        if target.is_relative_to(root):
            return open_beneath(root, str(target.relative_to(root)))
    raise _outside(relative)


def _leads_down(path: str) -> bool:
    """Whether a path can only lead to something below where it starts."""
    steps = Path(path)
    inside = bool(steps.parts) and not steps.is_absolute() and ".." not in steps.parts
    return inside and "\0" not in path


def _open_folder(stack: contextlib.ExitStack, name: str, parent: int | None) -> int:
    try:
        handle = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise _explained(error, name, parent) from error
    stack.callback(os.close, handle)
    return handle


def _regular(name: str, path: Path, folder: int | None) -> IO[bytes]:
    try:
        # A pipe without a writer would keep who opens it waiting for ever.
        handle = os.open(name, _FLAGS | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise _explained(error, name, folder) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "It is no regular file", str(path))
    return os.fdopen(handle, "rb")


def _explained(error: OSError, name: str, folder: int | None) -> OSError:
    """The error, in words where a link is its cause: ELOOP, or ENOTDIR of a folder."""
    with contextlib.suppress(OSError):
        if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
            return PermissionError(errno.EACCES, "A link is not followed", name)
    return error


def _outside(path: str) -> PermissionError:
    reason = "It lies outside the folders that may be read"
    return PermissionError(errno.EACCES, reason, path)
