"""The Status page says why nothing is trained."""

from __future__ import annotations

from pathlib import Path

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


def test_a_log_that_is_a_link_is_not_followed(workspace: Path, tmp_path: Path) -> None:
    workspace.mkdir(exist_ok=True)
    (tmp_path / "other").write_text("secret")
    (workspace / "idle.log").symlink_to(tmp_path / "other")
    texts = " ".join(x.value for x in open_page("system/status.py").warning)
    assert "link is not followed" in texts and "secret" not in texts
