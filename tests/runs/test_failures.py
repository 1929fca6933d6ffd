"""Every way to fail gets its name and an advice."""

from __future__ import annotations

import errno

import pytest

from medmodel.core.errors import DataError
from medmodel.runs.failures import NotANumberError, failure_of, traced


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out_of_memory"),
        (ResourceExhaustedError("OOM when allocating"), "out_of_memory"),
        (ResourceExhaustedError("No space left on device"), "disk_full"),
        (RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk_full"),
        (NotANumberError("epoch 2, step 7"), "not_a_number"),
        (DataError("There are no images in this folder."), "data"),
        (PermissionError(errno.EACCES, "denied"), "data"),
        (OSError(errno.EROFS, "Read-only file system"), "data"),
        (OSError(errno.EINVAL, "Invalid argument"), "bug"),
        (KeyError("path"), "bug"),
    ],
)
def test_kind(error: BaseException, kind: str) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert failure.message and failure.advice.endswith(".")


def test_message_of_the_user_is_kept() -> None:
    assert failure_of(DataError("No images in “a b”.")).message == "No images in “a b”."


def test_cause_counts() -> None:
    error = ValueError("could not save")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert failure_of(error).kind == "disk_full"


def test_bug_names_the_error() -> None:
    assert "ZeroDivisionError" in failure_of(ZeroDivisionError("by zero")).message


def test_a_log_says_where_not_what() -> None:
    name = "Jane Roe"
    try:
        try:
            raise KeyError(name)
        except KeyError as cause:
            raise ValueError(f"{name}.png") from cause
    except ValueError as error:
        text = traced(error)
    assert "test_failures.py" in text
    assert text.index("builtins.KeyError") < text.index("builtins.ValueError")
    assert "Jane" not in text
