"""Every way to fail gets its name and an advice."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from medmodel.core.errors import STORAGE_FAULTS, DataError
from medmodel.runs.failures import NotANumberError, failure_of, traced

FULL = {errno.ENOSPC, errno.EDQUOT}


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
        (PermissionError(errno.EACCES, "denied"), "storage"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        *(
            (OSError(n, os.strerror(n)), "storage")
            for n in STORAGE_FAULTS
            if n not in FULL
        ),
        (
            OSError("Can't write (errno = 27, error message = 'x')"),
            "storage",
        ),
        (OSError("Can't write (errno = 28, error message = 'none')"), "disk_full"),
        (OSError("Can't write (errno = 22, error message = 'none')"), "bug"),
        (ResourceExhaustedError("a/b; Disk quota exceeded"), "disk_full"),
        (RuntimeError("a/b; Read-only file system"), "storage"),
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


@pytest.mark.parametrize("number", STORAGE_FAULTS)
def test_what_the_storage_lacks_is_said_in_words(number: int) -> None:
    """A whole sentence each, and what to do; no number and no word of a programmer."""
    failure = failure_of(OSError(number, os.strerror(number)))
    for text in (failure.message, failure.advice):
        assert re.fullmatch(r"[A-Z].*\.", text) and "Errno" not in text
    assert "Resume" in failure.advice


def test_a_file_too_large_is_not_a_full_disk() -> None:
    failure = failure_of(OSError(errno.EFBIG, "File too large"))
    assert "larger than" in failure.message and "ulimit -f" in failure.advice


def test_the_file_is_named_if_it_is_ours(workspace: Path) -> None:
    def message(path: Path) -> str:
        return failure_of(OSError(errno.EIO, "Input/output error", str(path))).message

    assert message(workspace / "runs" / "a" / "log.txt").endswith("(runs/a/log.txt).")
    assert message(workspace / "datasets" / "Jane Roe.png") == "The disk failed."
    assert message(Path("/data/Jane Roe.png")) == "The disk failed."


def test_a_batch_is_not_told_to_train_or_to_choose_settings() -> None:
    for error in (DataError("No."), MemoryError(), OSError(errno.ENOSPC, "full")):
        advice = failure_of(error, trains=False).advice
        assert "train" not in advice and "smaller" not in advice
        assert "esume" in advice
