"""The browser's history: one entry for one step."""

from __future__ import annotations

import streamlit as st

from medmodel.core.environment import asset_text


def mend_history() -> None:
    """Spares Back the entry that `st.switch_page` makes for parameters alone."""
    st.components.v2.component("history", js=asset_text("history.js"))(key="history")
