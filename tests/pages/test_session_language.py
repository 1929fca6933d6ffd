"""Which language a page speaks: the link's, the chosen one, the browser's, English."""

from __future__ import annotations

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from pages._shared.common import session_language
from tests.pages.page import open_page

START = "home/start.py"


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser prefers; the tests put it in."""
    prefers = ["en-US"]
    monkeypatch.setattr(ContextProxy, "locale", property(lambda self: prefers[0]))
    return prefers


def language(app: AppTest) -> str:
    (choice,) = [x for x in app.segmented_control if x.key == session_language._SELECT]
    return str(choice.value)


@pytest.mark.parametrize(
    ("prefers", "spoken"),
    [
        ("en-US", "en"),
        ("zh-CN", "zh_Hans"),
        ("zh-Hans-CN", "zh_Hans"),
        ("zh", "zh_Hans"),
        ("zh_Hans", "zh_Hans"),
        ("tlh", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_language(accepted: list[str], prefers: str, spoken: str) -> None:
    accepted[0] = prefers
    assert language(open_page(START)) == spoken


def test_a_link_names_one(accepted: list[str]) -> None:
    app = open_page(START, lang="zh_Hans")
    assert language(app) == "zh_Hans"
    assert language(open_page(START, lang="tlh")) == "en"
    # The session keeps it on pages whose links name none.
    app.query_params.clear()
    app.switch_page("system/status.py").run()
    assert language(app) == "zh_Hans"


def test_who_chooses_is_not_held_by_the_link(accepted: list[str]) -> None:
    app = open_page(START, lang="zh_Hans")
    (choice,) = [x for x in app.segmented_control if x.key == session_language._SELECT]
    choice.set_value("en").run()
    assert not app.exception
    assert language(app) == "en"
    assert "lang" not in app.query_params


def test_nobodys_thread_speaks_english() -> None:
    assert session_language.session_language() == "en"
