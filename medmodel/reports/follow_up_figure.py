"""Figure of a follow-up: sums of diameters over time, and where categories change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medmodel.evaluation.clinical.recist import PROGRESSION, RESPONSE, Visit
from medmodel.language import _
from medmodel.reports.figures import GREY, line
from medmodel.reports.plots import figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 300
_COLOUR = "#0072B2"


def follow_up_figure(visits: Sequence[Visit]) -> Figure:
    """Sums over time; dotted where a partial response and progression would begin.

    Args:
        visits: As from `recist.assess`.
    """
    drawing = figure(_HEIGHT)
    measured = [visit for visit in visits if visit.total is not None]
    drawing.add_scatter(
        x=[visit.day for visit in measured],
        y=[visit.total for visit in measured],
        **{**line(_COLOUR), "mode": "lines+markers"},
        hovertemplate="%{x}: %{y:.1f} mm<extra></extra>",
    )
    if measured:
        sums = [float(visit.total or 0.0) for visit in measured]
        limits = (
            (_("partial response"), (1 - RESPONSE) * sums[0]),
            (_("progression"), max((1 + PROGRESSION) * min(sums), min(sums) + 5)),
        )
        lower = min(height for _text, height in limits)
        for text, height in limits:
            drawing.add_hline(
                height,
                line={"color": GREY, "dash": "dot"},
                annotation_text=text,
                # Two that lie close would lie on each other.
                annotation_position=("bottom left" if height == lower else "top left"),
            )
        drawing.update_yaxes(range=[0, 1.15 * max(*sums, limits[1][1])])
    drawing.update_yaxes(title=_("Sum of diameters in mm"))
    return drawing
