"""Every page of the menu opens, has one title, and says what it is not for."""

from __future__ import annotations

import ast

import pytest

from tests.pages.page import MENU, open_page

PAGES = MENU.parent


def listed() -> list[str]:
    """The files that pages/menu.py names."""
    tree = ast.parse((PAGES / "menu.py").read_text())
    words = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    return [w for w in words if isinstance(w, str) and w.endswith(".py")]


def test_the_menu_names_every_page_and_no_other() -> None:
    files = {str(p.relative_to(PAGES)) for p in PAGES.glob("[a-z]*/*.py")}
    assert set(listed()) == files


@pytest.mark.parametrize("path", listed())
def test_every_page_opens_on_an_empty_workspace(path: str) -> None:
    app = open_page(path)
    assert len(app.title) == 1
    shown = [part.proto.component_name for part in app.get("bidi_component")]
    assert "disclaimer-en" in shown
    # What comes after a page is not in sight while that page is drawn again.
    assert app.main.children[0].proto.component_name == "disclaimer-en"
