"""Failure of a run: kind, message and advice from the exception that ended it."""

from __future__ import annotations

import errno
import traceback

from medmodel.core.errors import MedModelError, TrainingError
from medmodel.runs.run import Failure

NOT_SAVED_ADVICE = "What was saved before is kept."
_OUTSIDE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE),
    *(errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE),
)
"""Disks that fail, shares that went away, rights: nothing that is wrong in here."""


class NotANumberError(TrainingError):
    """The loss became infinite or no number at all; the message says when."""


def failure_of(error: BaseException) -> Failure:
    """The failure behind an exception or its causes, and what to do about it.

    TensorFlow's errors are known by their names, so that nothing here loads it.

    Args:
        error: What ended the training.
    """
    for cause in _chain(error):
        failure = _known(cause)
        if failure is not None:
            return failure
    detail = str(error).strip() or "no details"
    return Failure(
        "bug",
        f"Something went wrong inside MedModel: {type(error).__name__}: "
        f"{detail.splitlines()[0][:300]}",
        "This is an error in our code, not in your data. The log has the details; "
        f"please report them. {NOT_SAVED_ADVICE}",
    )


def traced(error: BaseException) -> str:
    """Where an error arose, for a log: not what it says, which may name a patient."""
    lines: list[str] = []
    for cause in reversed(_chain(error)):
        lines += traceback.format_tb(cause.__traceback__)
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}\n")
    return "".join(lines)


def _known(error: BaseException) -> Failure | None:
    if isinstance(error, NotANumberError):
        return Failure(
            "not_a_number",
            str(error),
            "Choose a learning rate ten times smaller, or precision float32. "
            f"{NOT_SAVED_ADVICE}",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full()
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        return Failure(
            "data",
            f"A file could not be read or written: {error}.",
            "See whether its disk is there and works, and who may use the folders of "
            f"the data and of the workspace. Then press Resume. {NOT_SAVED_ADVICE}",
        )
    text = str(error)
    if _named(error, "MemoryError", "ResourceExhaustedError"):
        # TensorFlow gives the same name to a full disk.
        if "No space left" in text:
            return _disk_full()
        return Failure(
            "out_of_memory",
            "The memory of the device did not suffice.",
            "Choose a smaller batch, a smaller image size or a smaller model, or wait "
            f"until other programs have ended. {NOT_SAVED_ADVICE}",
        )
    if any(sign in text for sign in ("CUDA_ERROR_OUT_OF_MEMORY", "OOM when")):
        return _known(MemoryError())
    if isinstance(error, MedModelError):
        return Failure(
            "data",
            text,
            "Check the data set and the settings, then train again.",
        )
    return None


def _disk_full() -> Failure:
    return Failure(
        "disk_full",
        "The disk is full.",
        "Free some space, for example by deleting old runs, then press Resume. "
        f"{NOT_SAVED_ADVICE}",
    )


def _named(error: BaseException, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _chain(error: BaseException) -> list[BaseException]:
    """The error, then what caused it, and so on."""
    errors: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in errors:
        errors.append(following)
        following = following.__cause__ or following.__context__
    return errors
