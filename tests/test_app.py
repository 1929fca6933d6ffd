"""What the launcher says of a page that failed."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from streamlit import net_util
from streamlit.error_util import handle_user_script_exception
from streamlit.web.server import server_util

import app
from medmodel.core.errors import MedModelError


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sentences: list[str] = []
    monkeypatch.setattr(app.st, "error", lambda text, icon: sentences.append(text))
    return sentences


def test_a_page_of_another_site_makes_us_ask_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        net_util, "_make_blocking_http_get", lambda url, timeout: asked.append(url)
    )
    assert not server_util.is_url_from_allowed_origins("http://other.example")
    assert not asked


def test_a_known_error_is_its_sentence(
    said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert app.show_failure(MedModelError("No <b>run</b> is there"))
    assert said == [r"No \<b\>run\</b\> is there"]
    assert not caplog.records


def test_a_full_disk_is_no_bug(said: list[str]) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/ws/Jane Roe.json")
    assert app.show_failure(error)
    assert "the disk is full" in said[0] and "free some space" in said[0]
    assert "Jane" not in said[0]


def test_a_file_of_the_workspace_is_named(said: list[str], workspace: Path) -> None:
    path = workspace / "devices" / "cpu.lock"
    app.show_failure(OSError(errno.EISDIR, "Is a directory", str(path)))
    assert "could not read or write devices/cpu" in said[0]
    path = workspace / "datasets" / "Jane Roe.png"
    app.show_failure(OSError(errno.EISDIR, "Is a directory", str(path)))
    assert "could not read or write a file" in said[1] and "Jane" not in said[1]


def test_a_bug_is_told_and_its_words_are_kept_from_the_log(
    said: list[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name = "Jane Roe"
    try:
        raise ValueError(f"{name}.png")
    except ValueError as error:
        handle_user_script_exception(error, app.show_failure)
    assert "Something went wrong in this program" in said[0]
    assert "test_app.py" in caplog.text and "ValueError" in caplog.text
    assert "Jane" not in caplog.text + "".join(capfd.readouterr())
