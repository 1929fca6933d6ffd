"""A table says on a phone that it scrolls, and tells what was selected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.page import show_part


def test_a_table_has_a_line_for_phones(workspace: Path) -> None:
    def part() -> None:
        import streamlit as st

        from pages._shared.common.tables import show_table

        selected = show_table({"a": [1, 2]}, on_select="rerun", hide_index=True)
        st.text(str(selected["selection"]["rows"]))

    app = show_part(part)
    assert app.dataframe[0].value["a"].tolist() == [1, 2]
    assert app.text[0].value == "[]"
    (hint,) = app.get("html")
    assert "A wide table scrolls sideways." in hint.proto.body
    assert "@media (max-width: 40rem)" in hint.proto.body
    # Above the table, where its tools would cover other text.
    kinds = [element.type for element in app.main]
    assert kinds.index(hint.type) < kinds.index(app.dataframe[0].type)


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("height", [120, "content"])
def test_a_table_of_any_height_is_shown(height: int | str) -> None:
    def part() -> None:
        from pages._shared.common.tables import show_table

        show_table({"a": [1, 2]}, height=height)

    assert len(show_part(part).dataframe) == 1
