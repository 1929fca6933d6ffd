"""An image on a page."""

from __future__ import annotations

import base64

import streamlit as st
from streamlit.runtime import get_instance

from medmodel.imaging.images import Pixels, png_bytes, thumbnail
from medmodel.reports import plots
from pages._shared.common.words import plain

SIDE = 512
"""Pixels of an image on the page: enough for a projector, quick to send."""


def show_image(pixels: Pixels, caption: str, alt: str) -> None:
    """An image in a dark frame, exact PNG, its caption as plain text.

    Args:
        pixels: The image.
        caption: What stands below it.
        alt: What a screen reader says.
    """
    framed = plots.framed(plots.enlarged(thumbnail(pixels, 2 * SIDE), SIDE))
    st.image(
        png_bytes(framed),
        caption=plain(caption),
        width="stretch",
        output_format="PNG",
        alt=alt,
    )


def data_uri(pixels: Pixels) -> str:
    """The image as a PNG within a link."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def media_url(data: bytes, mimetype: str, place: str) -> str:
    """Address of a file for this session's browser, as those of `st.image`.

    Args:
        data: The file.
        mimetype: Its type.
        place: Where on the page it is shown: the next file there takes its place.
    """
    return get_instance().media_file_mgr.add(data, mimetype, place)
