"""Labels of choices that can be read on a dark page, whichever is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def legible(format_func: Callable[[Any], object] = str) -> Callable[[Any], str]:
    """The `format_func` of `st.segmented_control` and `st.pills` for either theme.

    Streamlit draws the chosen option, and the chosen tab, in the primary colour, which
    is also the ground of white text on buttons. On a dark page no colour has a contrast
    of 4.5 : 1 to both (WCAG 2.2, 1.4.3): white needs a luminance of at most 0.183, a
    ground as dark as black at least 0.19. There the labels name a colour of their own.

    Args:
        format_func: From an option to its label, in Markdown.
    """

    def label(option: Any) -> str:
        return legible_label(str(format_func(option)))

    return label


def legible_label(label: str) -> str:
    """The same for one label in Markdown, as of a tab."""
    dark = st.context.theme.type == "dark"
    return f":blue[{label}]" if dark else label
