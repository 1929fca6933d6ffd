"""The browser's history: one entry for one step."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from medmodel.core.environment import REPOSITORY


@lru_cache
def _source() -> str:
    return (REPOSITORY / "assets" / "history.js").read_text(encoding="utf-8")


def mend_history() -> None:
    """Spares Back the entry that `st.switch_page` makes for parameters alone."""
    st.components.v2.component("history", js=_source())(key="history")
