"""A click on a bar of the histogram asks for the images in it."""

from __future__ import annotations

from typing import Any

import pytest

from pages._shared.evaluation import curves_view

NOTHING: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("classes", "inside", "expected"),
    [
        (["a", "b"], True, {"label": "b", "but": ""}),
        (["a", "b"], False, {"label": "a", "but": ""}),
        (["a", "b", "c"], True, {"label": "b", "but": ""}),
        (["a", "b", "c"], False, {"label": "", "but": "b"}),
    ],
)
def test_a_bar_names_its_class_or_all_others(
    monkeypatch: pytest.MonkeyPatch,
    classes: list[str],
    inside: bool,
    expected: dict[str, str],
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(curves_view, "ask_for", lambda **filters: asked.append(filters))
    monkeypatch.setattr(curves_view.st, "session_state", {})
    run: Any = type("ARun", (), {"id": "one"})
    curves_view._open(run, classes, 1, NOTHING)
    assert not asked
    curves_view._open(run, classes, 1, {"customdata": [0.2, 0.25, inside]})
    assert asked == [{"scores": (20.0, 25.0), "of": "b", **expected}]
    assert curves_view.st.session_state == {"clicked-bar": ("one", 1)}
