"""Exceptions: one tree; a page shows each as one clear sentence.

* MedModelError
  + DataError           a folder or an index cannot be used
    + ImageError        one file cannot be read as an image
  + ConfigError         one setting has a wrong value
  + RunError            a run does not exist or is not in the state asked for
  + TrainingError       training cannot go on
  + PredictionError     the predictor could not answer
  + WeightsError        a file of pretrained weights is missing or not the one expected
  + ClusterError        a cluster does not answer, or refuses
  + FileError           a file that this program wrote cannot be understood
  + Cancelled           long work was given up because somebody asked for it

Anything else that reaches a page is a bug and shows as one.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import tokenize
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from medmodel.language import N_, _

DECODER_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files, beside errors of their own."""
NPY_HEADER_ERRORS = (SyntaxError, MemoryError, tokenize.TokenError)
"""What numpy raises besides, as it parses the header of an array as Python."""
MALFORMED = (ValueError, TypeError, KeyError, AttributeError)
"""What reading JSON or CSV raises where the content is not what was written."""


class MedModelError(Exception):
    """Base of all errors that a user can do something about."""


class DataError(MedModelError):
    """A folder, an index or a split cannot be used as it is."""


class ImageError(DataError):
    """One file cannot be read as an image; the message says why and what to do."""


class ConfigError(MedModelError):
    """One setting has a wrong value.

    Args:
        field: Name of the setting in `TrainConfig`.
        message: What was given, what is expected.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RunError(MedModelError):
    """A run does not exist, or is not in the state that the action needs."""


class TrainingError(MedModelError):
    """Training cannot go on, for a reason that lies in data or settings."""


class PredictionError(MedModelError):
    """The predictor could not answer this request; the next one may succeed."""


class WeightsError(MedModelError):
    """A file of pretrained weights is missing, or is not the file expected."""


class ClusterError(MedModelError):
    """The head of a cluster does not answer, or refuses what it was asked."""


class FileError(MedModelError, ValueError):
    """A file of the workspace is damaged; the message names it."""


class Cancelled(MedModelError):
    """Long work was given up on request; what it had finished is kept."""


_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")


def value_or_problem(
    read: Callable[_Parameters, _Value],
    *args: _Parameters.args,
    **kwargs: _Parameters.kwargs,
) -> tuple[_Value | None, str]:
    """What a reader returns, and "": or None, and why it cannot, as a sentence.

    For files without which the work goes on, so that their damage is said and stops
    nothing.
    """
    try:
        return read(*args, **kwargs), ""
    except MedModelError as error:
        return None, str(error)


@dataclass(frozen=True)
class StorageFault:
    """What an error of the operating system means, and what to do about it.

    Args:
        what: What happened, a clause without a full stop.
        advice: What to do, a clause without a full stop.
    """

    what: str
    advice: str


_FULL = N_("free some space, for example by deleting old runs")
_SHARE = StorageFault(
    N_("the network share of a file is not there any more"),
    N_("see whether its server runs and mount the share again"),
)
RIGHTS_ADVICE = N_("see who may use the folders of the data and of the workspace")
_RIGHTS = StorageFault(
    N_("a file may not be read or written by the user who runs MedModel"), RIGHTS_ADVICE
)
_TOO_MANY = StorageFault(
    N_("too many files are open"),
    N_(
        "wait until other programs have ended, or raise the limit of open "
        "files (ulimit -n, or LimitNOFILE in systemd)"
    ),
)
_GONE = StorageFault(
    N_("a file is missing, or its disk is"),
    N_("see whether the folders of the data and of the workspace are there"),
)
STORAGE_FAULTS = {
    errno.ENOSPC: StorageFault(N_("the disk is full"), _FULL),
    errno.EDQUOT: StorageFault(
        N_("the disk quota of the user who runs MedModel is used up"),
        N_("free some space, for example by deleting old runs, or raise the quota"),
    ),
    errno.EFBIG: StorageFault(
        N_("a file would become larger than this server or its file system allows"),
        N_(
            "raise the limit of the size of files (ulimit -f, or LimitFSIZE in "
            "systemd), or use a file system that holds larger files"
        ),
    ),
    errno.EROFS: StorageFault(
        N_("the disk may only be read"),
        N_(
            "mount it for writing; a disk that fails often becomes read-only, "
            "and the system's log says so"
        ),
    ),
    errno.EIO: StorageFault(
        N_("the disk failed"),
        N_("see the system's log, and replace the disk if it is broken"),
    ),
    errno.ENAMETOOLONG: StorageFault(
        N_("the name of a file or folder is too long for its file system"),
        N_("shorten the names of the data's files and folders"),
    ),
    errno.ENOTDIR: StorageFault(
        N_("what should be a folder is a file"),
        N_("see that the workspace and the folders of the data are folders"),
    ),
    errno.ELOOP: StorageFault(
        N_("links to it lead in a circle"),
        N_("see where the links among the folders lead"),
    ),
    errno.ENOLCK: StorageFault(
        N_("the file system gives no locks"),
        N_(
            "let the workspace lie on a disk of this server, or see that the "
            "share's server provides locks"
        ),
    ),
    errno.ENOENT: _GONE,
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: _TOO_MANY,
    errno.ENFILE: _TOO_MANY,
    errno.ESTALE: _SHARE,
    errno.ENOTCONN: _SHARE,
    errno.EHOSTDOWN: _SHARE,
    errno.EHOSTUNREACH: _SHARE,
    errno.ETIMEDOUT: _SHARE,
}
"""Disks that are full or fail, shares that went away, limits, rights: nothing that is
wrong in here. errno -> what it means."""
_IN_TEXT = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.ESTALE),
)
"""Of these, what libraries only say in words is known by `os.strerror`."""


def storage_fault(error: BaseException) -> StorageFault | None:
    """What an exception says of a disk or a limit; None if it says nothing of them.

    HDF5 and TensorFlow give the operating system's error in their message alone.
    """
    text, number = str(error), None
    if isinstance(error, OSError):
        stated = re.search(r"errno = (\d+)", text)
        number = int(stated[1]) if error.errno is None and stated else error.errno
    if number is None:
        number = next((n for n in _IN_TEXT if os.strerror(n) in text), 0)
    return STORAGE_FAULTS.get(number)


OS_WORDS = (
    *(N_("Operation not permitted"), N_("Permission denied")),
    *(N_("No such file or directory"), N_("File exists"), N_("File too large")),
    *(N_("Is a directory"), N_("Not a directory"), N_("Directory not empty")),
    *(N_("File name too long"), N_("Too many levels of symbolic links")),
    *(N_("No space left on device"), N_("Disk quota exceeded")),
    *(N_("Read-only file system"), N_("Input/output error"), N_("Remote I/O error")),
    *(N_("Device or resource busy"), N_("No such device")),
    *(N_("No such device or address"), N_("Invalid cross-device link")),
    *(N_("Invalid argument"), N_("Bad file descriptor"), N_("Illegal seek")),
    *(N_("Too many open files"), N_("Too many open files in system")),
    *(N_("No locks available"), N_("Resource temporarily unavailable")),
    *(N_("Cannot allocate memory"), N_("Value too large for defined data type")),
    *(N_("Stale file handle"), N_("Transport endpoint is not connected")),
    *(N_("Host is down"), N_("No route to host"), N_("Network is unreachable")),
    *(N_("Connection refused"), N_("Connection reset by peer")),
    *(N_("Connection timed out"), N_("Broken pipe"), N_("Operation not supported")),
    *(N_("Address already in use"), N_("Cannot assign requested address")),
    N_("Invalid or incomplete multibyte or wide character"),
)
"""What the operating system says of files and connections, as `os.strerror` does."""


def os_reason(error: OSError) -> str:
    """What the operating system says of an error, in the present language.

    Libraries raise errors of this kind with words of their own, which stay as they are.
    """
    return _(error.strerror) if error.strerror else str(error)
