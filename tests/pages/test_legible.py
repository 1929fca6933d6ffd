"""Labels of choices on a dark page name a colour of their own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import streamlit as st

from pages._shared.common import legible

PAGES = Path(__file__).resolve().parents[2] / "pages"
CHOICES = ("segmented_control", "pills")


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
            if getattr(node.func, "attr", "") not in CHOICES:
                continue
            calls += 1
            labels = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if not labels.get("format_func", "").startswith("legible("):
                plain.append(f"{path.relative_to(PAGES)}:{node.lineno}")
    assert calls > 15 and plain == []


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
