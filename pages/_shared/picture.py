"""A picture on a page."""

from __future__ import annotations

import streamlit as st

from medmodel import plots
from medmodel.images import Pixels, png_bytes, thumbnail
from pages._shared.words import plain

SIDE = 512
"""Pixels of a picture on the page: enough for a projector, quick to send."""


def show_picture(pixels: Pixels, caption: str, alt: str) -> None:
    """A picture in a dark frame, exact PNG, its caption as plain text."""
    small = thumbnail(pixels, 2 * SIDE)
    st.image(
        png_bytes(plots.framed(plots.enlarged(small, SIDE))),
        caption=plain(caption),
        width="stretch",
        output_format="PNG",
        alt=alt,
    )
