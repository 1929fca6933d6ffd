"""Labels of choices on a dark page name a colour of their own; on a phone pills."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import streamlit as st
from streamlit.proto.ButtonGroup_pb2 import ButtonGroup
from streamlit.testing.v1 import AppTest

from pages._shared.common import legible

PAGES = Path(__file__).resolve().parents[2] / "pages"
CHOICES = ("segmented_control", "pills", "one_of")


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))


@pytest.mark.parametrize(
    ("theme", "label"), [("dark", ":blue[7 px]"), ("light", "7 px"), (None, "7 px")]
)
def test_labels_name_a_colour_where_the_primary_one_is_too_faint(
    monkeypatch: pytest.MonkeyPatch, theme: str | None, label: str
) -> None:
    class Context:
        class theme_of_test:
            type = theme

        theme = theme_of_test

    monkeypatch.setattr(st, "context", Context)
    assert legible.legible(lambda size: f"{size} px")(7) == label
    assert legible.legible_label("7 px") == label


def test_every_choice_has_legible_labels() -> None:
    calls, plain = 0, []
    for path in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if path.name == "legible.py" or _called(node) not in CHOICES:
                continue
            calls += 1
            labels = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if not labels.get("format_func", "").startswith("legible("):
                plain.append(f"{path.relative_to(PAGES)}:{node.lineno}")
    assert calls > 15 and plain == []


@pytest.mark.parametrize(("agent", "style"), [("Mobile Safari", 0), ("Safari", 1)])
def test_segments_stand_alone_on_a_phone(
    monkeypatch: pytest.MonkeyPatch, agent: str, style: int
) -> None:
    headers = {"User-Agent": agent}
    context = type(st.context)
    monkeypatch.setattr(context, "headers", property(lambda _context: headers))
    app = AppTest.from_string(
        "from pages._shared.common.legible import one_of\n"
        "one_of('Rule', ['a', 'b'], default='b', required=True)"
    ).run()
    (choice,) = app.get("button_group")
    names = {v: k for k, v in ButtonGroup.Style.items()}
    assert names[choice.proto.style] == ("PILLS", "SEGMENTED_CONTROL")[style]
    assert choice.value == "b"


def test_segments_that_break_on_a_phone_are_not_drawn() -> None:
    drawn = {
        str(path.relative_to(PAGES))
        for path in PAGES.rglob("*.py")
        if "segmented_control(" in path.read_text(encoding="utf-8")
    }
    # The menu has room for the two languages.
    assert drawn == {
        "_shared/common/legible.py",
        "_shared/common/session_language.py",
    }


def test_what_shows_no_markdown_has_plain_labels() -> None:
    coloured = [
        f"{path.relative_to(PAGES)}:{node.lineno}"
        for path in PAGES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in ("selectbox", "multiselect")
        and any("legible" in ast.unparse(keyword.value) for keyword in node.keywords)
    ]
    assert coloured == []
