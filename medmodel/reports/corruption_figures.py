"""Figures of a corruption test: all at once, and one over its strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.robustness.corruption_test import CorruptionTest
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.language import _, format_number
from medmodel.reports.figures import GREY, add_band, line
from medmodel.reports.plots import cell_text_colours, figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ROW_HEIGHT = 32
_AXIS_HEIGHT = 60
_CURVE_HEIGHT = 260


def accuracy_table(test: CorruptionTest) -> Figure:
    """Accuracy in per cent, one row for each corruption, a column for each strength."""
    keys = [key for key in CORRUPTIONS if key in test.corrupted]
    strengths = range(STRENGTHS + 1)
    shares = np.array(
        [[100 * test.metric("accuracy", k, at).value for at in strengths] for k in keys]
    )
    rows, columns = len(keys), STRENGTHS + 1
    # From guessing upwards: what lies below looks equally lost.
    lowest = 100 / len(test.clean.classes)
    drawing = figure(_AXIS_HEIGHT + _ROW_HEIGHT * rows)
    drawing.add_heatmap(
        z=shares,
        zmin=lowest,
        zmax=100,
        colorscale="Cividis",
        showscale=False,
        xgap=2,
        ygap=2,
        customdata=[[_(CORRUPTIONS[key].title)] * columns for key in keys],
        hovertemplate=_(
            "%{customdata}, strength %{x}: accuracy %{z:.1f} %<extra></extra>"
        ),
    )
    drawing.add_scatter(
        x=np.tile(np.arange(columns), rows),
        y=np.repeat(np.arange(rows), columns),
        mode="text",
        text=[format_number(share, ".0f") for share in shares.flat],
        textfont={"color": cell_text_colours((shares - lowest) / (100 - lowest))},
        hoverinfo="skip",
    )
    drawing.update_xaxes(
        title=_("Strength"),
        side="top",
        tickvals=list(strengths),
        ticktext=[_("none"), *map(str, strengths[1:])],
        ticks="",
    )
    drawing.update_yaxes(
        autorange="reversed",
        tickvals=list(range(rows)),
        ticktext=[_(CORRUPTIONS[key].title) for key in keys],
        ticks="",
    )
    return drawing


def strength_figure(test: CorruptionTest, key: str, metric: str) -> Figure:
    """A metric over a corruption's strength, with its interval where there is one.

    Args:
        test: The test.
        key: Of the corruption.
        metric: Key of `METRICS`, of those in [0, 1].
    """
    estimates = [test.metric(metric, key, at) for at in range(STRENGTHS + 1)]
    x = np.arange(STRENGTHS + 1.0)
    drawing = figure(_CURVE_HEIGHT)
    if estimates[0].has_interval:
        low, high = (
            np.array([100 * getattr(e, end) for e in estimates])
            for end in ("low", "high")
        )
        add_band(drawing, x, low, high, "#0072B2")
    drawing.add_scatter(
        x=x,
        y=[100 * estimate.value for estimate in estimates],
        **line("#0072B2") | {"mode": "lines+markers"},
        hovertemplate=_("strength %{x}: %{y:.1f} %<extra></extra>"),
    )
    drawing.add_hline(100 * estimates[0].value, line={"color": GREY, "dash": "dot"})
    title = _("{metric} in %", metric=_(METRICS[metric].title))
    drawing.update_xaxes(title=_("Strength"), tickvals=list(range(STRENGTHS + 1)))
    drawing.update_yaxes(title=title, range=[-2, 102])
    return drawing
