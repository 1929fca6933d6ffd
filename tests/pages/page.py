"""A page run without a browser: opened, read, and its buttons pressed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.environment import REPOSITORY

MENU = REPOSITORY / "pages" / "menu.py"


def open_page(page: str, **address: str) -> AppTest:
    """A page as somebody finds it who follows a link.

    Args:
        page: Its file under `pages`, such as `"models/runs.py"`.
        address: Query parameters of the link.
    """
    app = AppTest.from_file(str(MENU), default_timeout=120).run()
    for name, value in address.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception
    return app


def work_in(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Workspace and data below a folder that several tests share."""
    patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
    patch.setenv("MEDMODEL_DATA", str(root / "data"))


def show_part(part: Callable[[], object]) -> AppTest:
    """A part of a page alone."""
    script = "import streamlit; streamlit.session_state['part']()"
    app = AppTest.from_string(script, default_timeout=120)
    app.session_state["part"] = part
    app.run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    """Presses the first button of this label."""
    next(b for b in app.button if b.label == label).click().run()
    assert not app.exception
    return app


def labels(app: AppTest) -> list[str]:
    """What the page's buttons are called, without that of the menu."""
    return [button.label for button in app.main.button]


def field(app: AppTest, label: str) -> Any:
    """The first field of this label."""
    kinds = (app.number_input, app.selectbox, app.text_input, app.toggle)
    return next(w for kind in kinds for w in kind if w.label == label)


def said(app: AppTest) -> str:
    """All text of a page, as people read it."""
    kinds = (app.title, app.markdown, app.caption, app.error, app.warning)
    text = "\n".join(str(e.value) for kind in (*kinds, app.success) for e in kind)
    return text.replace("\\", "")
