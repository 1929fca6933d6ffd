"""A table that says on a phone that it scrolls."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from medmodel.language import _

# Only where fingers scroll, whose scroll bars do not show before they do.
_STYLE = """<style>
.mm-swipe { display: none; }
@media (max-width: 40rem) { .mm-swipe { display: block; margin: 0.25rem 0 0; } }
</style>"""


def show_table(data: Any, **options: Any) -> Any:
    """`st.dataframe`, with a line for phones below it.

    Args:
        data: As of `st.dataframe`.
        options: Likewise.

    Returns:
        What was selected, where it can be.
    """
    hint = _("A wide table scrolls sideways.")
    with st.container(gap=None):
        selected = st.dataframe(data, **options)
        st.html(f'<p class="mm-swipe">{escape(hint)}</p>{_STYLE}')
    return selected
