"""The one sentence that a page is there to say, large enough for a projector."""

from __future__ import annotations

import html

import streamlit as st

_STYLE = "font-size: 1.5rem; font-weight: 600; line-height: 1.3; margin: 0"


def show_answer(sentence: str) -> None:
    """The sentence in 24 pixels; no heading, which a screen reader would list.

    Args:
        sentence: Plain text; nothing in it is read as Markdown or HTML.
    """
    st.html(f'<p style="{_STYLE}">{html.escape(sentence)}</p>')
