"""How a figure gets onto a page: full contrast in light and dark, PNG at one click."""

from __future__ import annotations

from typing import Any

import streamlit as st

_TOOLS = {
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "toImageButtonOptions": {"format": "png", "scale": 3},
}
_NO_TOOLS = {"displayModeBar": False}


def show_figure(figure: Any, key: str, alt: str, download: bool = True) -> None:
    """Shows a Plotly figure of `medmodel.plots`.

    Args:
        figure: The figure.
        key: Tells it from the others on the page.
        alt: What it shows, for those who cannot see it.
        download: Whether it offers itself as PNG.
    """
    dark = st.context.theme.type == "dark"
    # Streamlit's theme draws text in a grey that is too faint for a projector.
    ink = "#e6edf2" if dark else "#1c2730"
    figure.update_layout(font_color=ink)
    figure.update_xaxes(color=ink, tickfont_color=ink, title_font_color=ink)
    figure.update_yaxes(color=ink, tickfont_color=ink, title_font_color=ink)
    figure.update_traces(textfont_color=ink, selector={"type": "bar"})
    config = _TOOLS if download else _NO_TOOLS
    st.plotly_chart(figure, key=key, alt=alt, config=config)
