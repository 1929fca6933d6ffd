"""A chart of many points with a lasso, drawn in the browser without WebGL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core.environment import asset_text
from medmodel.language import _
from medmodel.reports.point_map import chart_data, selected_rows


def map_chart(
    places: NDArray[np.float32], groups: Sequence[str], key: str
) -> NDArray[np.intp]:
    """Shows the points and gives the rows of those that were selected.

    Args:
        places: Shape `(n, 2)`, each coordinate in [-1, 1].
        groups: A name for each point, which gives its colour.
        key: Tells the chart from others.
    """
    component = st.components.v2.component(
        "point_map",
        html=asset_text("map.html"),
        css=asset_text("map.css"),
        js=asset_text("map.js"),
    )
    answer = component(
        data=chart_data(places, groups) | {"texts": _texts()},
        key=key,
        default={"selection": {}},
        on_selection_change=lambda: None,
    )
    return selected_rows(places, groups, answer.selection or {})


def _texts() -> dict[str, str]:
    return {
        "label": _(
            "Map of the images: one point for each, coloured by group. Arrow keys "
            "move it, plus and minus zoom, Enter selects what is in view, Escape "
            "clears the selection."
        ),
        "tools": _("Tools of the map"),
        "groups": _("Groups; press one to hide it"),
        "select": _("Select"),
        "move": _("Move"),
        "in": _("Zoom in"),
        "out": _("Zoom out"),
        "reset": _("Whole map"),
        "view": _("Select what is in view"),
        "clear": _("Clear selection"),
    }
