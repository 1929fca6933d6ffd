"""The Status page says why nothing is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.page import open_page


def test_a_worker_that_cannot_start_is_told(workspace: Path) -> None:
    assert not any(
        "does not start" in x.value for x in open_page("system/status.py").warning
    )
    workspace.mkdir(exist_ok=True)
    error = "Traceback:\n ...\nModuleNotFoundError: No module named 'tensorflow'\n"
    (workspace / "idle.log").write_text(error)
    (told,) = (
        x.value
        for x in open_page("system/status.py").warning
        if "does not start" in x.value
    )
    assert "No module named" in told and "Traceback" not in told


@pytest.mark.parametrize(
    "notice",
    [
        "I0000 00:00:1795948956.781494 15708 cudart_stub.cc:31] Could not find cuda",
        "W0000 00:00:1795948956.781494 15708 cpu.cc:3] Cannot dlopen some libraries",
        "2026-11-29 10:09:16.781: I tensorflow/core/util/port.cc:153] oneDNN is on.",
        "WARNING: All log messages before absl::InitializeLog() is called go there",
        "To enable the following instructions: AVX2 FMA, rebuild TensorFlow.",
    ],
)
def test_a_notice_of_a_worker_that_starts_is_no_failure(
    workspace: Path, notice: str
) -> None:
    workspace.mkdir(exist_ok=True)
    (workspace / "idle.log").write_text(f"{notice}\n")
    assert not open_page("system/status.py").warning
    (workspace / "idle.log").write_text(f"MemoryError\n{notice}\n")
    (warning,) = open_page("system/status.py").warning
    assert warning.value.endswith("MemoryError")


def test_a_log_that_is_a_link_is_not_followed(workspace: Path, tmp_path: Path) -> None:
    workspace.mkdir(exist_ok=True)
    (tmp_path / "other").write_text("secret")
    (workspace / "idle.log").symlink_to(tmp_path / "other")
    texts = " ".join(x.value for x in open_page("system/status.py").warning)
    assert "link is not followed" in texts and "secret" not in texts
