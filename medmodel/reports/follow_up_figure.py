"""Figures of a follow-up: sums of diameters, a lesion's size, a class's probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from medmodel.evaluation.clinical.recist import (
    PROGRESSION,
    PROGRESSION_MM,
    RESPONSE,
    Response,
    Visit,
)
from medmodel.evaluation.clinical.time_line import Reading
from medmodel.language import _
from medmodel.reports.figures import GREY, SQUARE, line
from medmodel.reports.plots import error_bars, figure, literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 260
"""Pixels: below a verdict of three lines it still ends on a projector's screen."""
_DATE = "%Y-%m-%d"
_COLOUR = "#0072B2"


def _over_time() -> Figure:
    """An empty figure over dates, which every language reads."""
    drawing = figure(_HEIGHT)
    drawing.update_xaxes(tickformat=_DATE, hoverformat=_DATE, nticks=5)
    return drawing


def follow_up_figure(visits: Sequence[Visit]) -> Figure:
    """Sums over time; dotted where a partial response and progression would begin.

    Neither begins anywhere without a baseline to count from; after a complete response
    whatever comes back is progression.

    Args:
        visits: As from `recist.assess`.
    """
    drawing = _over_time()
    measured = [visit for visit in visits if visit.total is not None]
    drawing.add_scatter(
        x=[visit.day for visit in measured],
        y=[visit.total for visit in measured],
        **{**line(_COLOUR), "mode": "lines+markers"},
        hovertemplate="%{x}: %{y:.1f} mm<extra></extra>",
    )
    if visits[0].total:
        sums = [float(visit.total or 0.0) for visit in measured]
        limits = [(_("partial response"), (1 - RESPONSE) * sums[0])]
        if all(visit.category is not Response.COMPLETE for visit in visits):
            rise = max(PROGRESSION * min(sums), PROGRESSION_MM)
            limits.append((_("progression"), min(sums) + rise))
        lower = min(height for _text, height in limits)
        for text, height in limits:
            drawing.add_hline(
                height,
                line={"color": GREY, "dash": "dot"},
                annotation_text=text,
                # Two that lie close would lie on each other.
                annotation_position=("bottom left" if height == lower else "top left"),
            )
        highest = max(*sums, *(height for _text, height in limits))
        drawing.update_yaxes(range=[0, 1.15 * highest])
    drawing.update_yaxes(title=_("Sum of diameters in mm"))
    return drawing


def probability_figure(
    days: Sequence[date],
    readings: Mapping[str, Sequence[Reading]],
    colours: Mapping[str, str],
) -> Figure:
    """Probabilities over time, with the range that small changes of images give.

    Args:
        days: In ascending order.
        readings: Class -> one for each day.
        colours: Of each class.
    """
    drawing = _over_time()
    for name, values in readings.items():
        colour, shares = colours[name], [each.value for each in values]
        drawing.add_scatter(
            x=list(days),
            y=shares,
            error_y=error_bars(
                shares, [e.low for e in values], [e.high for e in values], colour
            ),
            **{**line(colour), "mode": "lines+markers"},
            name=literal(name),
            hovertemplate=f"{literal(name)}, %{{x}}: %{{y:.0%}}<extra></extra>",
        )
    drawing.update_layout(showlegend=len(readings) > 1, legend={"orientation": "h"})
    drawing.update_yaxes(title=_("Probability"), range=SQUARE, tickformat=".0%")
    return drawing


def series_figure(
    days: Sequence[date],
    values: Sequence[float | None],
    title: str,
    repeatability: float = 0.0,
) -> Figure:
    """A size over time, with the error of measuring.

    Args:
        days: In ascending order.
        values: At each of them; None: left out.
        title: Of the axis, with the unit.
        repeatability: Half of the error bars, as a share of a value; 0 for none.
    """
    shown = [(d, v) for d, v in zip(days, values, strict=True) if v is not None]
    drawing = _over_time()
    error = [repeatability * value for _day, value in shown]
    drawing.add_scatter(
        x=[day for day, _value in shown],
        y=[value for _day, value in shown],
        error_y={"type": "data", "array": error, "visible": bool(repeatability)},
        **{**line(_COLOUR), "mode": "lines+markers"},
        hovertemplate="%{x}: %{y:.1f}<extra></extra>",
    )
    drawing.update_yaxes(title=title, rangemode="tozero")
    return drawing


def size_figure(visits: Sequence[Visit], repeatability: float) -> Figure:
    """A lesion's diameter over time with the error of measuring.

    Args:
        visits: As from `time_line.size_visits`.
        repeatability: As a share of the diameter.
    """
    days, sizes = [v.day for v in visits], [v.total for v in visits]
    return series_figure(days, sizes, _("Size in mm"), repeatability)
