"""Figures of a survival model: Kaplan-Meier curves of risk groups, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from medmodel.evaluation.survival.performance import SurvivalCalibration, SurvivalCurve
from medmodel.language import _
from medmodel.reports.figures import GREY, HEIGHT, SQUARE, add_band, line
from medmodel.reports.plots import error_bars, figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("#009E73", "#E69F00", "#D55E00")
"""Of the groups, the lowest risk first: green, orange, vermillion of Okabe and Ito."""
_DASHES = ("solid", "dash", "dot")
_NAME = 0.15
"""Width of a group's name as a share of the longest time."""


def kaplan_meier_figure(
    curves: Sequence[SurvivalCurve], titles: Sequence[str]
) -> Figure:
    """A stair for each group with its band, named at its end.

    Args:
        curves: As from `performance.kaplan_meier`, the lowest risk first.
        titles: What each group is called.
    """
    drawing = figure(HEIGHT)
    longest = max((curve.last for curve in curves), default=0.0)
    for curve, title, colour, dash in zip(
        curves, titles, COLOURS, _DASHES, strict=False
    ):
        times, survival, low, high = _stairs(curve)
        add_band(drawing, times, low, high, colour)
        drawing.add_scatter(
            x=times,
            y=survival,
            mode="lines",
            line={"color": colour, "width": 3, "dash": dash},
            hovertemplate=f"{title}, %{{x:.4g}}: %{{y:.0%}}<extra></extra>",
        )
        drawing.add_annotation(
            x=times[-1],
            # Above the curve wherever the name stands, not only at its end.
            y=survival[times >= times[-1] - _NAME * longest][0],
            text=title,
            showarrow=False,
            xanchor="right",
            yanchor="bottom",
            font={"color": colour},
        )
    drawing.update_xaxes(title=_("Time, in the unit of the table"), rangemode="tozero")
    drawing.update_yaxes(
        title=_("Share without the event"), range=SQUARE, tickformat=".0%"
    )
    return drawing


def _stairs(curve: SurvivalCurve) -> tuple[np.ndarray, ...]:
    """From 1 at time 0 to the last time that somebody was followed."""
    times = np.concatenate([[0.0], curve.times, [curve.last]])
    values = [
        np.concatenate([[1.0], part, part[-1:] if len(part) else [1.0]])
        for part in (curve.survival, curve.low, curve.high)
    ]
    # Each value lasts until the next time.
    return np.repeat(times, 2)[1:], *(np.repeat(part, 2)[:-1] for part in values)


def survival_calibration_figure(calibration: SurvivalCalibration) -> Figure:
    """Observed against predicted risk of groups of patients, with intervals.

    Args:
        calibration: As from `performance.calibration_at`.
    """
    drawing = figure(HEIGHT)
    drawing.add_scatter(x=[0, 1], y=[0, 1], **line(GREY, "dot"), hoverinfo="skip")
    bins = calibration.bins or [calibration.overall]
    observed = [each.observed for each in bins]
    drawing.add_scatter(
        x=[each.predicted for each in bins],
        y=observed,
        error_y=error_bars(
            observed, [b.low for b in bins], [b.high for b in bins], COLOURS[2]
        ),
        mode="markers",
        marker={"size": 11, "color": COLOURS[2]},
        customdata=[each.patients for each in bins],
        hovertemplate=_("predicted %{x:.0%}, observed %{y:.0%}, n = %{customdata}")
        + "<extra></extra>",
    )
    drawing.update_xaxes(title=_("Predicted risk"), range=SQUARE, tickformat=".0%")
    drawing.update_yaxes(title=_("Observed risk"), range=SQUARE, tickformat=".0%")
    return drawing
