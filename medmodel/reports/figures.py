"""Figures of one model's curves and scores, in the style that `plots` sets.

Every function takes numbers that are already computed and returns a Plotly figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration.calibration_metrics import ReliabilityBin
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.curves import DecisionCurve, Histogram, ThresholdCurve
from medmodel.language import _
from medmodel.reports.plots import error_bars, figure, literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GREY = "#8A8A8A"
HEIGHT = 380
SQUARE = [-0.02, 1.02]


def roc_figure(
    curve: ThresholdCurve, colour: str, threshold: float | None = None
) -> Figure:
    """A ROC curve with its band; a dot where the threshold lies."""
    drawing = _curve(curve, colour, _("1 − specificity"), _("Sensitivity"))
    drawing.add_scatter(x=[0, 1], y=[0, 1], **line(GREY, "dot"), hoverinfo="skip")
    _mark(drawing, curve, threshold, colour)
    return drawing


def precision_recall_figure(
    curve: ThresholdCurve, colour: str, share: float, threshold: float | None = None
) -> Figure:
    """A precision–recall curve; dotted what guessing gets.

    Args:
        curve: As from `curves.precision_recall_curve`.
        colour: Of the class.
        share: Of the split's images that are of the class.
        threshold: Where a dot is drawn; None for no dot.
    """
    drawing = _curve(curve, colour, _("Sensitivity (recall)"), _("Precision"))
    drawing.add_scatter(
        x=[0, 1], y=[share, share], **line(GREY, "dot"), hoverinfo="skip"
    )
    # A threshold above every score calls nothing, which has no precision.
    if threshold is not None and threshold <= curve.thresholds.max():
        _mark(drawing, curve, threshold, colour)
    return drawing


def histogram_figure(
    histogram: Histogram, name: str, colour: str, threshold: float | None = None
) -> Figure:
    """How a class's scores are spread: its images upwards, all others downwards.

    Each side in per cent of its own images, so that a rare class can be seen. Unseen
    bars to point at carry the edges of a bin and whether its images are of the class.
    """
    drawing = figure(HEIGHT)
    edges = histogram.edges
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    shown = literal(name)
    parts = (
        (histogram.inside, 1, shown, colour),
        (histogram.outside, -1, _("not {name}", name=shown), GREY),
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
    drawing.update_xaxes(title=_("Score for {name}", name=shown), range=SQUARE)
    # Shares below the axis are shares, too.
    ticks = _round_steps(int(most))
    drawing.update_yaxes(
        title=_("Per cent of the images"),
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
            _(
                "score {low:.3f}–{high:.3f}<br>{images:,} images, {group}: "
                "{share:.1f} %",
                low=edges[at],
                high=edges[at + 1],
                images=int(counts[at]),
                group=who,
                share=share[at],
            )
            for at in used
        ],
        hoverinfo="text",
    )


def reliability_figure(
    bins: Sequence[ReliabilityBin], colour: str, claim: str
) -> Figure:
    """A reliability diagram: what came true against what was claimed, with counts.

    Every bin with images is one point, in the order of the bins, so that a click tells
    which.

    Args:
        bins: As from `calibration_metrics.reliability_diagram`.
        colour: Of the points.
        claim: What the score speaks of, for the axes.
    """
    drawing = figure(HEIGHT)
    drawing.add_scatter(x=[0, 1], y=[0, 1], **line(GREY, "dot"), hoverinfo="skip")
    used = [b for b in bins if b.count]
    values = [b.share.value for b in used]
    drawing.add_scatter(
        x=[b.mean_score for b in used],
        y=values,
        error_y=error_bars(
            values, [b.share.low for b in used], [b.share.high for b in used], colour
        ),
        mode="markers+text",
        marker={"size": 12, "color": colour},
        text=[f"{b.count:,}" for b in used],
        textposition="bottom right",
        textfont={"size": 12},
        customdata=[[b.low, b.high] for b in used],
        hovertext=[
            _(
                "scores {low:.1f}–{high:.1f}: {images:,} images<br>mean score "
                "{mean_score:.3f}, observed frequency {share}",
                low=b.low,
                high=b.high,
                images=b.count,
                mean_score=b.mean_score,
                share=b.share,
            )
            for b in used
        ],
        hoverinfo="text",
        cliponaxis=False,
    )
    # Room for the number beside the last point.
    drawing.update_xaxes(
        title=_("Score: {claim}", claim=literal(claim)), range=[-0.02, 1.12]
    )
    drawing.update_yaxes(title=_("Observed frequency"), range=SQUARE)
    return drawing


def _labels_apart(curve: DecisionCurve, top: float) -> list[tuple[str, float]]:
    """The names of the lines beside their right ends, one below the other."""
    low, high = -0.15 * top, 1.15 * top
    step = (high - low) / 16
    ends = {
        _("model"): float(curve.model[-1]),
        _("treat none (0)"): 0.0,
        _("treat all (dashed)"): float(curve.treat_all[-1]),
    }
    placed: list[tuple[str, float]] = []
    for text, end in sorted(ends.items(), key=lambda item: -item[1]):
        height = min(max(end, low), high)
        if placed:
            height = min(height, placed[-1][1] - step)
        placed.append((text, height))
    return placed


def benefit_figure(
    curve: DecisionCurve, colour: str, threshold: float | None = None
) -> Figure:
    """Net benefit over the probability from which one would act."""
    drawing = figure(HEIGHT)
    x = curve.thresholds
    add_band(drawing, x, curve.low, curve.high, colour)
    drawing.add_scatter(x=x, y=curve.treat_all, **line(GREY, "dash"), hoverinfo="skip")
    drawing.add_scatter(
        x=x,
        y=curve.model,
        **line(colour),
        hovertemplate=_("act from %{x:.2f}: net benefit %{y:.3f}<extra></extra>"),
    )
    top = 1.3 * float(max(curve.model.max(), curve.treat_all.max(), 0.05))
    drawing.add_hline(0, line={"color": GREY, "width": 1})
    # Right of the axes no line can lie below a label.
    for text, height in _labels_apart(curve, top):
        drawing.add_annotation(
            text=text,
            x=1.01,
            y=height,
            showarrow=False,
            xanchor="left",
            yanchor="middle",
            font={"size": 12},
        )
    drawing.update_layout(margin_r=130)
    if threshold is not None and 0 < threshold < 1:
        drawing.add_vline(threshold, line={"color": GREY, "dash": "dash"})
    drawing.update_xaxes(title=_("Probability from which one acts"), range=[0, 1])
    drawing.update_yaxes(
        title=_("Net benefit per patient"), range=[-0.15 * top, 1.15 * top]
    )
    return drawing


def accuracy_by_labels_figure(
    counts: Sequence[int], accuracies: Sequence[Estimate]
) -> Figure:
    """Accuracy after each number of reviewed labels, with its interval.

    Args:
        counts: Reviewed labels, one per point.
        accuracies: As many.
    """
    drawing = figure(HEIGHT - 100)
    values = np.array([accuracy.value for accuracy in accuracies])
    above = np.array([a.high - a.value for a in accuracies])
    below = np.array([a.value - a.low for a in accuracies])
    drawing.add_scatter(
        x=list(counts),
        y=values,
        mode="lines+markers",
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(above),
            "arrayminus": np.nan_to_num(below),
        },
    )
    drawing.update_xaxes(title=_("Reviewed labels"), rangemode="tozero")
    drawing.update_yaxes(title=_("Validation accuracy"))
    return drawing


def clickable(drawing: Figure, classes: Sequence[str]) -> Figure:
    """A confusion matrix of `plots.confusion_figure` whose cells can be clicked.

    Plotly's heat maps tell nobody about clicks: unseen squares over them do, with the
    numbers of label and predicted class.
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


def line(colour: str, dash: str = "solid") -> dict[str, Any]:
    """How a line is drawn: one that matters, or a thinner one that is dashed."""
    width = 2.5 if dash == "solid" else 1.2
    return {"mode": "lines", "line": {"color": colour, "dash": dash, "width": width}}


def _curve(curve: ThresholdCurve, colour: str, x: str, y: str) -> Figure:
    drawing = figure(HEIGHT)
    add_band(drawing, curve.band_x, curve.low, curve.high, colour)
    drawing.add_scatter(
        x=curve.x,
        y=curve.y,
        **line(colour),
        customdata=curve.thresholds,
        hovertemplate=(
            _(
                "{x_title} %{{x:.3f}}<br>{y_title} %{{y:.3f}}<br>threshold "
                "%{{customdata:.3f}}<extra></extra>",
                x_title=x,
                y_title=y,
            )
        ),
    )
    drawing.update_xaxes(title=x, range=SQUARE)
    drawing.update_yaxes(title=y, range=SQUARE)
    return drawing


def add_band(
    drawing: Figure,
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colour: str,
) -> None:
    """Adds a band between two lines, clear enough for what lies below."""
    drawing.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low, high[::-1]]),
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor=_clear(colour),
        hoverinfo="skip",
    )


def _mark(
    drawing: Figure, curve: ThresholdCurve, threshold: float | None, colour: str
) -> None:
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
