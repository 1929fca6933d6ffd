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
_GREY = "#888888"
_FEW = 6
"""Values that have room one above the other, each with its text."""
_BAR = 46


def quality_against_time(trials: Sequence[Trial], front: Sequence[Trial]) -> Figure:
    """Validation loss and seconds of each trial; a line through the front.

    Args:
        trials: With a validation loss.
        front: As from `results.pareto_front`.
    """
    drawing = figure(HEIGHT)
    drawing.add_scatter(
        x=[trial.seconds for trial in front],
        y=[trial.val_loss for trial in front],
        mode="lines",
        line={"color": OKABE_ITO[1], "shape": "hv"},
        hoverinfo="skip",
    )
    drawing.add_scatter(
        x=[trial.seconds for trial in trials],
        y=[trial.val_loss for trial in trials],
        mode="markers+text",
        text=[str(trial.number + 1) for trial in trials],
        textposition="bottom center",
        cliponaxis=False,
        marker={"color": OKABE_ITO[0], "size": 10},
        hovertemplate=_("trial %{text}: %{x:.0f} s, loss %{y:.3f}<extra></extra>"),
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

    The best one is thick. Plotly's own parallel coordinates need WebGL, which a browser
    on a projector or over a remote desktop may lack.

    Args:
        trials: With a validation loss.
        titles: Setting -> what it is called.
        texts: Setting -> value -> how it is written; values that are no numbers stand
            in this order.
    """
    drawing = figure(HEIGHT)
    losses = [t.val_loss for t in trials if t.val_loss is not None]
    axes = [_axis([t.values[name] for t in trials], texts[name]) for name in titles]
    axes.append(_measured(losses, "{:.3f}"))
    names = [*map(literal, titles.values()), _("Val. loss")]
    best = min(range(len(trials)), key=losses.__getitem__)
    # Drawn last, the best one lies above the others.
    for at in sorted(range(len(trials)), key=lambda each: each == best):
        drawing.add_scatter(
            x=list(range(len(axes))),
            y=[heights[at] for heights, _ticks in axes],
            mode="lines",
            line={"color": OKABE_ITO[at == best], "width": 4 if at == best else 1.5},
            hoverinfo="skip",
        )
    for place, (_heights, ticks) in enumerate(axes):
        drawing.add_shape(
            type="line", x0=place, x1=place, y0=0, y1=1, line={"color": _GREY}
        )
        for height, text in ticks.items():
            drawing.add_annotation(
                x=place,
                y=height,
                text=text,
                showarrow=False,
                xanchor="left",
                xshift=5,
                # Above the lines that come through here.
                yshift=11,
            )
    drawing.update_layout(showlegend=False, margin={"l": 40, "r": 80, "t": 50, "b": 10})
    drawing.update_xaxes(
        tickvals=list(range(len(axes))), ticktext=names, side="top", showgrid=False
    )
    drawing.update_yaxes(visible=False, range=[-0.05, 1.12])
    return drawing


_Axis = tuple[list[float], dict[float, str]]
"""Heights of the trials, 0 to 1, and what stands at which height."""


def _axis(values: Sequence[Any], texts: Mapping[Any, str]) -> _Axis:
    """Few values one above the other, as written; many by how large they are."""
    if all(isinstance(value, int | float) for value in values):
        ordered = sorted(set(values))
        if len(ordered) > _FEW:
            whole = all(isinstance(value, int) for value in values)
            return _measured(values, "{}" if whole else "{:.3g}")
    else:
        ordered = list(texts)
    step = 1 / max(len(ordered) - 1, 1)
    places = {value: place * step for place, value in enumerate(ordered)}
    ticks = {
        place: literal(texts.get(value, str(value))) for value, place in places.items()
    }
    return [places[value] for value in values], ticks


def _measured(values: Sequence[float], pattern: str) -> _Axis:
    low, high = min(values), max(values)
    if low == high:
        return [0.5] * len(values), {0.5: pattern.format(low)}
    heights = [(value - low) / (high - low) for value in values]
    return heights, {0.0: pattern.format(low), 1.0: pattern.format(high)}


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
