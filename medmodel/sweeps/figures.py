"""Figures of a sweep: quality against time, parallel coordinates, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medmodel.language import _
from medmodel.reports.plots import OKABE_ITO, figure, literal
from medmodel.sweeps.sweep import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 340
_BAR = 46


def quality_against_time(trials: Sequence[Trial], front: Sequence[Trial]) -> Figure:
    """Validation loss and seconds of each trial; a line through the front.

    Args:
        trials: With a validation loss.
        front: As from `results.pareto_front`.
    """
    drawing = figure(HEIGHT)
    drawing.add_scatter(
        x=[trial.seconds for trial in trials],
        y=[trial.val_loss for trial in trials],
        mode="markers+text",
        text=[str(trial.number + 1) for trial in trials],
        textposition="top center",
        marker={"color": OKABE_ITO[0], "size": 10},
        hovertemplate=_("trial %{text}: %{x:.0f} s, loss %{y:.3f}<extra></extra>"),
    )
    drawing.add_scatter(
        x=[trial.seconds for trial in front],
        y=[trial.val_loss for trial in front],
        mode="lines",
        line={"color": OKABE_ITO[1], "shape": "hv"},
        hoverinfo="skip",
    )
    drawing.update_layout(showlegend=False)
    drawing.update_xaxes(title=_("Training time in seconds"), rangemode="tozero")
    drawing.update_yaxes(title=_("Validation loss"))
    return drawing


def parallel_coordinates(
    trials: Sequence[Trial],
    titles: Mapping[str, str],
    texts: Mapping[str, Mapping[Any, str]],
) -> Figure:
    """A line for each trial through its settings to its validation loss.

    Args:
        trials: With a validation loss.
        titles: Setting -> what it is called.
        texts: Setting -> value -> how it is written; values that are no numbers stand
            in this order.
    """
    drawing = figure(HEIGHT)
    dimensions = [
        _axis(trials, name, title, texts[name]) for name, title in titles.items()
    ]
    losses = [trial.val_loss for trial in trials]
    dimensions.append({"label": _("Val. loss"), "values": losses})
    drawing.add_parcoords(
        dimensions=dimensions,
        line={"color": losses, "colorscale": "Viridis", "reversescale": True},
    )
    drawing.update_layout(margin={"l": 70, "r": 50, "t": 60, "b": 30})
    return drawing


def _axis(
    trials: Sequence[Trial], name: str, title: str, texts: Mapping[Any, str]
) -> dict[str, Any]:
    values = [trial.values[name] for trial in trials]
    if all(isinstance(value, int | float) for value in values):
        return {"label": literal(title), "values": values}
    places = {value: place for place, value in enumerate(texts)}
    return {
        "label": literal(title),
        "values": [places[value] for value in values],
        "tickvals": list(places.values()),
        "ticktext": [literal(texts[value]) for value in places],
    }


def importance(shares: Mapping[str, float]) -> Figure:
    """A bar for each setting, the most important on top.

    Args:
        shares: What it is called -> 0 to 1.
    """
    ordered = sorted(shares.items(), key=lambda entry: entry[1])
    drawing = figure(max(120, _BAR * len(ordered) + 60))
    drawing.add_bar(
        x=[share for _name, share in ordered],
        y=[literal(name) for name, _share in ordered],
        orientation="h",
        marker_color=OKABE_ITO[0],
        hovertemplate="%{y}: %{x:.0%}<extra></extra>",
    )
    drawing.update_xaxes(range=[0, 1], tickformat=".0%")
    return drawing
