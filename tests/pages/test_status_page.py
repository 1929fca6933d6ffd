"""The Status page says why nothing is trained."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).resolve().parents[2] / "pages"


def opened() -> AppTest:
    app = AppTest.from_file(str(PAGES / "menu.py"), default_timeout=60).run()
    app.switch_page("system/status.py").run()
    assert not app.exception
    return app


def test_a_worker_that_cannot_start_is_told(workspace: Path) -> None:
    assert not any("does not start" in x.value for x in opened().warning)
    workspace.mkdir(exist_ok=True)
    error = "Traceback:\n ...\nModuleNotFoundError: No module named 'tensorflow'\n"
    (workspace / "idle.log").write_text(error)
    (told,) = (x.value for x in opened().warning if "does not start" in x.value)
    assert "No module named" in told and "Traceback" not in told
