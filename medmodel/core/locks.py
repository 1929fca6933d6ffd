"""File locks that end with their process.

A lock is held by a living process: after a kill the operating system has already
released it, where a process id would still look alive.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import IO, Any

from medmodel.core.errors import FileError
from medmodel.language import _


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    Args:
        path: The file to lock; it and its folder are made when needed.
        shared: Whether others may hold it too, if they also ask for sharing.
    """

    def __init__(self, path: Path, shared: bool = False) -> None:
        self.path = path
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._file: IO[Any] | None = None

    def acquire(self, wait: float = 0.0) -> bool:
        """Tries for `wait` seconds; returns whether the lock is ours now."""
        # `locked` holds a shared lock for an instant: try at least for a moment.
        deadline = time.monotonic() + max(wait, 0.02)
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def _try(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as otherwise:
            flags = os.O_RDWR | os.O_CREAT
            file = otherwise.enter_context(_open_lock(self.path, flags))
            try:
                fcntl.flock(file, self._kind | fcntl.LOCK_NB)
                # Removed since it was opened, it would keep nobody out.
                if self.path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                    return False
            except (BlockingIOError, FileNotFoundError):
                return False
            otherwise.pop_all()
            self._file = file
        return True

    def release(self) -> None:
        """Gives the lock back; harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Lock:
        if not self.acquire(wait=30.0):
            raise TimeoutError(f"{self.path} stayed locked for 30 seconds")
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def locked(path: Path) -> bool:
    """Whether some living process holds the exclusive lock on this file."""
    try:
        with _open_lock(path, os.O_RDONLY) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _open_lock(path: Path, flags: int) -> IO[bytes]:
    """Opens a lock file; a link or a pipe in its place keeps nobody waiting.

    Raises:
        FileError: There is something else in its place.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise FileError(
                _("{path} is no lock file: remove it.", path=path)
            ) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileError(_("{path} is no lock file: remove it.", path=path))
    return os.fdopen(handle, "rb", buffering=0)
