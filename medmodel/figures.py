"""Figures of curves and intervals, in the style that `plots` sets.

Every function takes numbers that are already computed and returns a Plotly figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.benefit import DecisionCurve
from medmodel.calibration import Bin
from medmodel.curves import Curve, Histogram
from medmodel.intervals import Estimate
from medmodel.plots import OKABE_ITO, figure, literal

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

GREY = "#8A8A8A"
_HEIGHT = 380
_SQUARE = [-0.02, 1.02]


def roc_figure(curve: Curve, colour: str, threshold: float | None = None) -> Figure:
    """A ROC curve with its band; a dot where the threshold lies."""
    drawing = _curve(curve, colour, "1 − specificity", "Sensitivity")
    drawing.add_scatter(x=[0, 1], y=[0, 1], **_line(GREY, "dot"), hoverinfo="skip")
    _mark(drawing, curve, threshold, colour)
    return drawing


def precision_recall_figure(
    curve: Curve, colour: str, share: float, threshold: float | None = None
) -> Figure:
    """A precision–recall curve; dotted what guessing gets.

    Args:
        curve: As from `curves.precision_recall_curve`.
        colour: Of the class.
        share: Of the split's images that are of the class.
        threshold: Where a dot is drawn; None for no dot.
    """
    drawing = _curve(curve, colour, "Sensitivity (recall)", "Precision")
    drawing.add_scatter(
        x=[0, 1], y=[share, share], **_line(GREY, "dot"), hoverinfo="skip"
    )
    _mark(drawing, curve, threshold, colour)
    return drawing


def histogram_figure(
    found: Histogram, name: str, colour: str, threshold: float | None = None
) -> Figure:
    """How a class's scores are spread: its images upwards, all others downwards.

    Each side in per cent of its own images, so that a rare class can be seen. Unseen
    bars to point at carry the edges of a bin and whether its images are of the class.
    """
    drawing = figure(_HEIGHT)
    edges = found.edges
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    shown = literal(name)
    parts = (
        (found.inside, 1, shown, colour),
        (found.outside, -1, f"not {shown}", GREY),
    )
    shares = [100 * c / max(int(c.sum()), 1) for c, *_ in parts]
    most = max(float(share.max()) for share in shares) * 1.12 or 1.0
    for (counts, sign, who, paint), share in zip(parts, shares, strict=True):
        drawing.add_bar(
            x=middles,
            y=sign * share,
            width=width * 0.96,
            marker={"color": paint},
            customdata=counts,
            hoverinfo="skip",
        )
        _add_unseen_bars(drawing, edges, (counts, share, who), sign * most)
        drawing.add_annotation(
            text=f"{who} (n = {counts.sum():,})",
            x=0.5,
            y=sign * most,
            showarrow=False,
            yanchor="top" if sign > 0 else "bottom",
        )
    if threshold is not None:
        drawing.add_vline(threshold, line={"color": GREY, "dash": "dash"})
    drawing.update_layout(barmode="overlay")
    drawing.update_xaxes(title=f"Score for {shown}", range=_SQUARE)
    # Shares below the axis are shares, too.
    ticks = _round_steps(int(most))
    drawing.update_yaxes(
        title="Per cent of the images",
        zeroline=True,
        zerolinecolor=GREY,
        range=[-most, most],
        tickvals=[-t for t in ticks[:0:-1]] + ticks,
        ticktext=[f"{t}" for t in ticks[:0:-1]] + [f"{t}" for t in ticks],
    )
    return drawing


def _add_unseen_bars(
    drawing: Figure,
    edges: NDArray[np.float64],
    side: tuple[NDArray[np.int64], NDArray[np.float64], str],
    height: float,
) -> None:
    """Bars to point at, over every bin with images of one side of a histogram."""
    counts, share, who = side
    used = np.flatnonzero(counts)
    unseen = {"marker": {"opacity": 0}}
    drawing.add_bar(
        x=(edges[used] + edges[used + 1]) / 2,
        y=np.full(len(used), height),
        width=float(edges[1] - edges[0]),
        **unseen,
        selected=unseen,
        unselected=unseen,
        customdata=[[*map(float, edges[at : at + 2]), height > 0] for at in used],
        hovertext=[
            f"score {edges[at]:.3f}–{edges[at + 1]:.3f}<br>{counts[at]:,} images, "
            f"{who}: {share[at]:.1f} %"
            for at in used
        ],
        hoverinfo="text",
    )


def reliability_figure(bins: Sequence[Bin], colour: str, claim: str) -> Figure:
    """A reliability diagram: what came true against what was claimed, with counts.

    Every bin with images is one point, in the order of the bins, so that a click tells
    which.

    Args:
        bins: As from `calibration.reliability`.
        colour: Of the points.
        claim: What the score speaks of, for the axes.
    """
    drawing = figure(_HEIGHT)
    drawing.add_scatter(x=[0, 1], y=[0, 1], **_line(GREY, "dot"), hoverinfo="skip")
    used = [b for b in bins if b.count]
    values = [b.share.value for b in used]
    drawing.add_scatter(
        x=[b.mean_score for b in used],
        y=values,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [b.share.high - b.share.value for b in used],
            "arrayminus": [b.share.value - b.share.low for b in used],
            "color": colour,
        },
        mode="markers+text",
        marker={"size": 12, "color": colour},
        text=[f"{b.count:,}" for b in used],
        textposition="bottom right",
        textfont={"size": 12},
        customdata=[[b.low, b.high] for b in used],
        hovertext=[
            f"scores {b.low:.1f}–{b.high:.1f}: {b.count:,} images<br>"
            f"mean score {b.mean_score:.3f}, came true {b.share}"
            for b in used
        ],
        hoverinfo="text",
        cliponaxis=False,
    )
    # Room for the number beside the last point.
    drawing.update_xaxes(title=f"Score: {literal(claim)}", range=[-0.02, 1.12])
    drawing.update_yaxes(title="Share that came true", range=_SQUARE)
    return drawing


def benefit_figure(
    found: DecisionCurve, colour: str, threshold: float | None = None
) -> Figure:
    """Net benefit over the probability from which one would act."""
    drawing = figure(_HEIGHT)
    x = found.thresholds
    _band(drawing, x, found.low, found.high, colour)
    drawing.add_scatter(x=x, y=found.everybody, **_line(GREY, "dash"), hoverinfo="skip")
    drawing.add_scatter(
        x=x,
        y=found.model,
        **_line(colour),
        hovertemplate="act from %{x:.2f}: net benefit %{y:.3f}<extra></extra>",
    )
    top = 1.3 * float(max(found.model.max(), found.everybody.max(), 0.05))
    drawing.add_hline(0, line={"color": GREY, "width": 1})
    places = (("act on nobody", 0.96, 0.0), ("act on everybody", 0.02, top))
    for text, at, height in places:
        drawing.add_annotation(
            text=text,
            x=at,
            y=height,
            showarrow=False,
            xanchor="right" if at > 0.5 else "left",
            yanchor="bottom",
            font={"size": 12},
        )
    if threshold is not None and 0 < threshold < 1:
        drawing.add_vline(threshold, line={"color": GREY, "dash": "dash"})
    drawing.update_xaxes(title="Probability from which one acts", range=[0, 1])
    drawing.update_yaxes(
        title="Net benefit per patient", range=[-0.15 * top, 1.15 * top]
    )
    return drawing


def epochs_figure(histories: Mapping[str, pd.DataFrame], column: str) -> Figure:
    """One line per model over its epochs, the best one ringed.

    Args:
        histories: Name of each model -> as from `overview.epochs`.
        column: What is drawn.
    """
    drawing = figure(_HEIGHT)
    for (name, rows), colour in zip(histories.items(), _colours(), strict=False):
        drawing.add_scatter(
            x=rows["epoch"],
            y=rows[column],
            name=literal(name),
            **_line(colour),
            hovertemplate=f"{literal(name)}<br>epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        )
        best = rows[rows["best"].astype(bool)]
        drawing.add_scatter(
            x=best["epoch"],
            y=best[column],
            mode="markers",
            marker={"size": 11, "color": colour, "symbol": "circle-open"},
            hoverinfo="skip",
            showlegend=False,
        )
    drawing.update_xaxes(title="Epoch")
    titles = {"val_loss": "Validation loss", "val_accuracy": "Validation accuracy"}
    drawing.update_yaxes(title=titles.get(column, column))
    return _named(drawing)


def overlaid_figure(curves: Mapping[str, Curve]) -> Figure:
    """The ROC curves of one class by several models, over each other."""
    drawing = figure(_HEIGHT)
    for (name, curve), colour in zip(curves.items(), _colours(), strict=False):
        drawing.add_scatter(
            x=curve.x,
            y=curve.y,
            name=literal(name),
            **_line(colour),
            hovertemplate=f"{literal(name)}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>",
        )
    drawing.add_scatter(
        x=[0, 1], y=[0, 1], **_line(GREY, "dot"), hoverinfo="skip", showlegend=False
    )
    drawing.update_xaxes(title="1 − specificity", range=_SQUARE)
    drawing.update_yaxes(title="Sensitivity", range=_SQUARE)
    return _named(drawing)


def intervals_figure(found: Mapping[str, Estimate], title: str) -> Figure:
    """One metric of several models: dots with their intervals, one below the other."""
    drawing = figure(70 + 44 * len(found))
    for at, (estimate, colour) in enumerate(
        zip(found.values(), _colours(), strict=False)
    ):
        if estimate.measurable:
            drawing.add_scatter(
                x=[estimate.value],
                y=[at],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [estimate.high - estimate.value],
                    "arrayminus": [estimate.value - estimate.low],
                    "thickness": 3,
                    "color": colour,
                },
                mode="markers",
                marker={"size": 13, "color": colour},
                hovertext=f"{estimate}, n = {estimate.n:,}",
                hoverinfo="text",
            )
    drawing.update_xaxes(title=title)
    drawing.update_yaxes(
        tickvals=list(range(len(found))),
        ticktext=[literal(name) for name in found],
        range=[len(found) - 0.5, -0.5],
    )
    return drawing


def clickable(drawing: Figure, classes: Sequence[str]) -> Figure:
    """A confusion matrix of `plots.confusion_figure` whose cells can be clicked.

    Plotly's heat maps tell nobody about clicks: unseen squares over them do, with the
    numbers of label and first choice.
    """
    k = len(classes)
    rows, columns = np.divmod(np.arange(k * k), k)
    unseen = {"marker": {"opacity": 0}}
    drawing.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"symbol": "square", "size": max(16, 60 - 3 * k), "opacity": 0},
        customdata=np.stack([rows, columns], axis=1).tolist(),
        hovertext=[text for line in drawing.data[0].hovertext for text in line],
        hoverinfo="text",
        selected=unseen,
        unselected=unseen,
    )
    return drawing


def model_colours(names: Sequence[str]) -> dict[str, str]:
    """The colour of each model in the figures that compare."""
    return dict(zip(names, _colours(), strict=False))


def _colours() -> list[str]:
    return [*OKABE_ITO[:7]] * 3


def _named(drawing: Figure) -> Figure:
    """Names of the lines above the drawing: at their ends they would overlap."""
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
    return drawing.update_layout(showlegend=True, legend=legend)


def _line(colour: str, dash: str = "solid") -> dict[str, Any]:
    width = 2.5 if dash == "solid" else 1.2
    return {"mode": "lines", "line": {"color": colour, "dash": dash, "width": width}}


def _curve(curve: Curve, colour: str, x: str, y: str) -> Figure:
    drawing = figure(_HEIGHT)
    _band(drawing, curve.band_x, curve.low, curve.high, colour)
    drawing.add_scatter(
        x=curve.x,
        y=curve.y,
        **_line(colour),
        customdata=curve.thresholds,
        hovertemplate=(
            f"{x} %{{x:.3f}}<br>{y} %{{y:.3f}}<br>threshold %{{customdata:.3f}}"
            "<extra></extra>"
        ),
    )
    drawing.update_xaxes(title=x, range=_SQUARE)
    drawing.update_yaxes(title=y, range=_SQUARE)
    return drawing


def _band(
    drawing: Figure,
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colour: str,
) -> None:
    drawing.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low, high[::-1]]),
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor=_clear(colour),
        hoverinfo="skip",
    )


def _mark(drawing: Figure, curve: Curve, threshold: float | None, colour: str) -> None:
    if threshold is None or np.isnan(threshold):
        return
    # The last point, from the top, whose calls the threshold still makes.
    at = int(np.flatnonzero(curve.thresholds >= threshold)[-1:].sum())
    drawing.add_scatter(
        x=[curve.x[at]],
        y=[curve.y[at]],
        mode="markers",
        marker={"size": 14, "color": colour, "line": {"width": 2, "color": "#fff"}},
        hoverinfo="skip",
    )


def _clear(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _round_steps(most: int) -> list[int]:
    """0 and two or three round numbers up to `most`."""
    step = 10 ** int(np.log10(max(most, 1)))
    step = step if most >= 2 * step else max(step // 2, 1)
    return list(range(0, most + 1, max(step, most // 3 // step * step)))
