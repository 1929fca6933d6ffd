"""How a figure gets onto a page: full contrast in light and dark, PNG at one click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.language import _
from pages._shared.common.legible import legible, one_of

FORMAT = "figure-format"
"""Where the session keeps the format in which figures are downloaded."""
FORMATS = {"png": "PNG", "svg": "SVG"}
INK = {"light": "#0a1016", "dark": "#e6edf2"}
"""Colour of text in figures, that of the page."""
_NO_TOOLS = {"displayModeBar": False}


def show_figure(
    figure: Any,
    key: str,
    alt: str,
    download: bool = True,
    on_click: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Shows a Plotly figure of `medmodel.reports.plots` or `medmodel.reports.figures`.

    Args:
        figure: The figure.
        key: Tells it from the others on the page.
        alt: What it shows, for those who cannot see it.
        download: Whether it offers itself as PNG, or SVG where that was chosen.
        on_click: Told the point of the figure that was clicked.
    """
    # Streamlit's theme draws text in a grey that is too faint for a projector.
    ink = INK["dark" if st.context.theme.type == "dark" else "light"]
    figure.update_layout(font_color=ink)
    figure.update_xaxes(color=ink, tickfont_color=ink, title_font_color=ink)
    figure.update_yaxes(color=ink, tickfont_color=ink, title_font_color=ink)
    figure.update_traces(textfont_color=ink, selector={"type": "bar"})
    config = _tools(key) if download else _NO_TOOLS
    if on_click is None:
        st.plotly_chart(figure, key=key, alt=alt, config=config)
        return
    # A new name after every click: the old mark goes, and the same point may be
    # clicked again.
    clicks = st.session_state.setdefault(f"{key}-clicks", 0)
    name = f"{key}-{clicks}"
    st.plotly_chart(
        figure,
        key=name,
        alt=alt,
        config=config,
        on_select=lambda: _clicked(key, name, on_click),
        selection_mode="points",
    )


def follow_theme() -> None:
    """Draws the page again when it turns dark, or light, by the system or its menu.

    Streamlit changes its own colours at once; those of figures are made here.
    """
    component = st.components.v2.component("theme", js=asset_text("theme.js"))
    component(key="theme", on_changed_change=lambda: None)


def pick_format() -> None:
    """Lets the user choose in which format figures are downloaded."""
    one_of(
        _("Every figure has a camera button; it saves"),
        list(FORMATS),
        format_func=legible(FORMATS.__getitem__),
        default="png",
        required=True,
        key=FORMAT,
        persist_state="session",
    )


def _tools(name: str) -> dict[str, Any]:
    image = {"format": st.session_state.get(FORMAT, "png"), "scale": 3}
    return {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {**image, "filename": name},
    }


def _clicked(key: str, name: str, on_click: Callable[[dict[str, Any]], None]) -> None:
    points = st.session_state[name]["selection"]["points"]
    if points:
        st.session_state[f"{key}-clicks"] += 1
        on_click(points[0])
