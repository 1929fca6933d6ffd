"""Labels of choices on a dark page name a colour of their own."""

from __future__ import annotations

import pytest
import streamlit as st

from pages._shared.common import legible


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
