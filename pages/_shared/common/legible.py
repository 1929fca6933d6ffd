"""Choices that can be read: on a dark page, whichever is chosen, and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st

V = TypeVar("V")


def is_phone() -> bool:
    """Whether the browser says so: by the word that MDN names for it."""
    return "Mobi" in st.context.headers.get("User-Agent", "")


def one_of(label: str, options: Sequence[V], **settings: Any) -> V:
    """`st.segmented_control`, on a phone `st.pills`.

    The segments share their borders: a row of them that has no room on a phone breaks
    into two whose ends hang in the air, or is cut where it scrolls. Pills stand alone.

    Args:
        label: As there.
        options: Likewise.
        settings: Likewise; `required=True`, else the answer may be None.
    """
    if is_phone():
        settings["wrap"] = True
        chosen: V = st.pills(label, options, **settings)
        return chosen
    chosen = st.segmented_control(label, options, **settings)
    return chosen


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
