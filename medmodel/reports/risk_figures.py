"""Figures of a risk: an icon array of 100 images, and the risk over the prevalence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medmodel.evaluation.clinical.risk import RiskModel
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.language import _
from medmodel.reports.figures import GREY, add_band, line
from medmodel.reports.plots import figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ICONS = 100
_HEIGHT = 300
_PREVALENCES = np.geomspace(0.001, 0.9, 60)


def icon_counts(estimate: Estimate) -> tuple[int, int, int]:
    """Of 100 images: those with the class, and the ends of the interval.

    Rounded to whole images; without an interval the ends are the number itself.
    """
    value = round(ICONS * estimate.value)
    if not estimate.has_interval:
        return value, value, value
    return value, round(ICONS * estimate.low), round(ICONS * estimate.high)


def icon_array(estimate: Estimate, colour: str) -> str:
    """100 dots in ten rows as SVG: full, within the interval only, none.

    Dots are filled from the left to the right and from the top: those that have the
    class at the lower end of the interval in full, up to its upper end as rings.

    Args:
        estimate: The risk.
        colour: Of the class, as in CSS.

    Reference: Garcia-Retamero and Cokely, Current Directions in Psychological Science
    22 (2013) 392: icon arrays are understood best.
    """
    value, low, high = icon_counts(estimate)
    dots = []
    for number in range(ICONS):
        x, y = 10 + 20 * (number % 10), 10 + 20 * (number // 10)
        if number < min(low, value):
            look = f'fill="{colour}"'
        elif number < value:
            look = f'fill="{colour}" fill-opacity="0.6"'
        elif number < high:
            look = f'fill="none" stroke="{colour}" stroke-width="2"'
        else:
            look = f'fill="{GREY}" fill-opacity="0.35"'
        dots.append(f'<circle cx="{x}" cy="{y}" r="7" {look}/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" '
        f'height="200">{"".join(dots)}</svg>'
    )


def prevalence_figure(
    model: RiskModel, score: float, colour: str, prevalence: float | None
) -> Figure:
    """The risk of this score over the prevalence, on a logarithmic axis.

    Args:
        model: Of the class.
        score: Of the image.
        colour: Of the class.
        prevalence: The clinic's, where it was given; a line marks it.
    """
    risks = [model.risk(score, float(share)) for share in _PREVALENCES]
    drawing = figure(_HEIGHT)
    x = 100 * _PREVALENCES
    if risks[0].has_interval:
        low = np.array([100 * risk.low for risk in risks])
        high = np.array([100 * risk.high for risk in risks])
        add_band(drawing, x, low, high, colour)
    drawing.add_scatter(
        x=x,
        y=[100 * risk.value for risk in risks],
        **line(colour),
        hovertemplate=_("prevalence %{x:.1f} %: risk %{y:.0f} %<extra></extra>"),
    )
    for share, dash in ((model.prevalence, "dot"), (prevalence, "dash")):
        if share is not None:
            drawing.add_vline(100 * share, line={"color": GREY, "dash": dash})
    drawing.update_xaxes(
        title=_("Prevalence in %"), type="log", tickvals=[0.1, 1, 5, 10, 20, 50, 90]
    )
    drawing.update_yaxes(title=_("Risk in %"), range=[-2, 102])
    return drawing
