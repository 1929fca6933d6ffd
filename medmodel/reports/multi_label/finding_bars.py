"""Bars of findings, which do not sum to one, each with the mark of its threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from medmodel.language import _
from medmodel.reports import plots

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HALF = 0.42
"""Half the height of a mark, in rows."""


def finding_bars(
    findings: Sequence[str],
    probabilities: Sequence[float],
    thresholds: Sequence[float],
    colours: Mapping[str, str],
) -> Figure:
    """Horizontal bars with their numbers, in the given order from the top.

    Args:
        findings: What each bar is called.
        probabilities: In [0, 1].
        thresholds: Likewise; not-a-number where a finding has none.
        colours: As from `plots.class_colours`.
    """
    import numpy as np

    drawing = plots.probability_bars(findings, np.array(probabilities), colours)
    marks = [
        (row, threshold)
        for row, threshold in enumerate(thresholds)
        if not math.isnan(threshold)
    ]
    xs: list[float | None] = []
    ys: list[float | None] = []
    for row, threshold in marks:
        xs += [threshold, threshold, None]
        ys += [row - _HALF, row + _HALF, None]
    drawing.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        line={"width": 3, "color": "#808080"},
        hoverinfo="skip",
        name=_("threshold"),
        showlegend=False,
    )
    return drawing
