"""A table that says on a phone that it scrolls."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.language import _

ROW_HEIGHT = 38
"""Pixels of a row, and of the header."""
_EDGES = 2
"""Pixels of a table's edges beside its height."""
MARK = "background-color: rgba(230, 159, 0, 0.28); font-weight: 700"
"""Style of a marked cell: read in light and dark, and not by colour alone."""
# Only where fingers scroll, whose scroll bars do not show before they do. Above the
# table: as high as its tools, which come there at a touch and would cover other text.
_STYLE = """<style>
.mm-swipe { display: none; }
@media (max-width: 40rem) {
  .mm-swipe { display: flex; align-items: end; min-height: 2.5rem; margin: 0; }
  .mm-swipe { padding-right: 7.4rem; }
}
</style>"""


def _place(height: object) -> DeltaGenerator:
    """Where a table stands; one of a known height has its room before it is drawn."""
    if not isinstance(height, int):
        return st.container(gap=None)
    return st.container(height=height + _EDGES, border=False, gap=None)


def show_table(data: Any, **options: Any) -> Any:
    """`st.dataframe`, with a line for phones above it.

    Args:
        data: As of `st.dataframe`.
        options: Likewise.

    Returns:
        What was selected, where it can be.
    """
    hint = _("A wide table scrolls sideways.")
    with st.container(gap=None):
        st.html(f'<p class="mm-swipe">{escape(hint)}</p>{_STYLE}')
        with _place(options.get("height")):
            selected = st.dataframe(data, **options)
    return selected
