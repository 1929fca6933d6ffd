"""Failure of a run: kind, message and advice from the exception that ended it."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from medmodel.core.environment import workspace_root
from medmodel.core.errors import (
    STORAGE_FAULTS,
    MedModelError,
    StorageFault,
    TrainingError,
    storage_fault,
)
from medmodel.language import N_, _
from medmodel.runs.status import Failure

NOT_SAVED_ADVICE = N_("What was saved before is kept.")
_FULL = (STORAGE_FAULTS[errno.ENOSPC], STORAGE_FAULTS[errno.EDQUOT])


class NotANumberError(TrainingError):
    """The loss became infinite or no number at all; the message says when."""


def failure_of(error: BaseException, trains: bool = True) -> Failure:
    """The failure behind an exception or its causes, and what to do about it.

    TensorFlow's errors are known by their names, so that nothing here loads it.

    Args:
        error: What ended it.
        trains: False for a batch, which has no settings of its own.
    """
    for cause in _chain(error):
        failure = _known(cause, trains)
        if failure is not None:
            return failure
    detail = str(error).strip() or _("no details")
    return Failure(
        "bug",
        _(
            "Something went wrong inside MedModel: {kind}: {detail}",
            kind=type(error).__name__,
            detail=detail.splitlines()[0][:300],
        ),
        _with_kept(
            _(
                "This is an error in our code, not in your data. The log has the "
                "details; please report them."
            )
        ),
    )


def traced(error: BaseException) -> str:
    """Where an error arose, for a log: not what it says, which may name a patient."""
    lines: list[str] = []
    for cause in reversed(_chain(error)):
        lines += traceback.format_tb(cause.__traceback__)
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}\n")
    return "".join(lines)


def _known(error: BaseException, trains: bool) -> Failure | None:
    if isinstance(error, NotANumberError):
        return Failure(
            "not_a_number",
            str(error),
            _with_kept(
                _("Choose a learning rate ten times smaller, or precision float32.")
            ),
        )
    if isinstance(error, MedModelError):
        advice = (
            _("Check the data set and the settings, then train again.")
            if trains
            else _("Then resume this batch, or start a new one.")
        )
        return Failure("data", str(error), advice)
    fault = storage_fault(error)
    if fault is not None:
        return _storage_failure(error, fault)
    if _is_out_of_memory(error):
        return Failure(
            "out_of_memory",
            _("The memory of the device did not suffice."),
            _with_kept(
                _(
                    "Choose a smaller batch, a smaller image size or a smaller model, "
                    "or wait until other programs have ended."
                )
                if trains
                else _("Wait until other programs have ended, then resume.")
            ),
        )
    return None


def _with_kept(advice: str) -> str:
    return f"{advice} {_(NOT_SAVED_ADVICE)}"


def _storage_failure(error: BaseException, fault: StorageFault) -> Failure:
    file = file_in_words(error) if isinstance(error, OSError) else ""
    what = f"{fault.what[0].upper()}{fault.what[1:]}"
    advice = f"{fault.advice[0].upper()}{fault.advice[1:]}"
    return Failure(
        "disk_full" if fault in _FULL else "storage",
        f"{what} ({file})." if file else f"{what}.",
        _with_kept(_("{advice}. Then press Resume.", advice=advice)),
    )


def file_in_words(error: OSError) -> str:
    """The file of an error if it is one of ours: others' names may name a patient."""
    path, workspace = Path(str(error.filename)), workspace_root()
    inside = path.is_relative_to(workspace)
    if not inside or path.is_relative_to(workspace / "datasets"):
        return ""
    return str(path.relative_to(workspace))


def _is_out_of_memory(error: BaseException) -> bool:
    """TensorFlow's ResourceExhaustedError may also be a full disk: to be asked last."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    named = _named(error, "MemoryError", "ResourceExhaustedError")
    signs = ("CUDA_ERROR_OUT_OF_MEMORY", "OOM when")
    return named or any(sign in str(error) for sign in signs)


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
