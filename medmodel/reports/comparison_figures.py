"""Figures that lay several models over each other, each model in its colour.

Every function takes numbers that are already computed and returns a Plotly figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.curves import ThresholdCurve
from medmodel.language import _
from medmodel.reports.figures import GREY, HEIGHT, SQUARE, add_band, line
from medmodel.reports.plots import OKABE_ITO, error_bars, figure, literal, shortened

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

_BANDS = 3
_LEGEND_LINE = 22
_LONGEST = 44
"""Characters of a name that fit beside each other on a phone."""


def roc_overlay(
    curves: Mapping[str, ThresholdCurve], areas: Mapping[str, Estimate]
) -> Figure:
    """The ROC curves of one class by several models; dotted what guessing gets.

    Up to three have their bands; more would hide each other.

    Args:
        curves: Name of each model -> as from `curves.roc_curve`.
        areas: Name of each model -> area under its curve, for the legend.
    """
    drawing = _overlaid(curves, areas, "AUC")
    drawing.add_scatter(
        x=[0, 1], y=[0, 1], **line(GREY, "dot"), hoverinfo="skip", showlegend=False
    )
    drawing.update_xaxes(title=_("1 − specificity"), range=SQUARE)
    drawing.update_yaxes(title=_("Sensitivity"), range=SQUARE)
    return drawing


def precision_recall_overlay(
    curves: Mapping[str, ThresholdCurve], averages: Mapping[str, Estimate], share: float
) -> Figure:
    """The precision–recall curves of one class by several models.

    Args:
        curves: Name of each model -> as from `curves.precision_recall_curve`.
        averages: Name of each model -> its average precision, for the legend.
        share: Of the images that are of the class: what guessing gets, dotted.
    """
    drawing = _overlaid(curves, averages, _("AP"))
    drawing.add_scatter(
        x=[0, 1],
        y=[share, share],
        **line(GREY, "dot"),
        hoverinfo="skip",
        showlegend=False,
    )
    drawing.update_xaxes(title=_("Sensitivity (recall)"), range=SQUARE)
    drawing.update_yaxes(title=_("Precision"), range=SQUARE)
    return drawing


def epochs_figure(histories: Mapping[str, pd.DataFrame], column: str) -> Figure:
    """One line per model over its epochs, the best one ringed.

    Args:
        histories: Name of each model -> as from `overview.epochs`.
        column: What is drawn.
    """
    drawing = figure(HEIGHT + _LEGEND_LINE * len(histories))
    for (name, rows), colour in zip(histories.items(), _colours(), strict=False):
        drawing.add_scatter(
            x=rows["epoch"],
            y=rows[column],
            name=literal(shortened(name, _LONGEST)),
            **line(colour),
            hovertemplate=_(
                "{name}<br>epoch %{{x}}: %{{y:.3f}}<extra></extra>", name=literal(name)
            ),
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
    drawing.update_xaxes(title=_("Epoch"))
    titles = {
        "val_loss": _("Validation loss"),
        "val_accuracy": _("Validation accuracy"),
    }
    drawing.update_yaxes(title=titles.get(column, column))
    return _named(drawing)


def intervals_figure(estimates: Mapping[str, Estimate], title: str) -> Figure:
    """One metric of several models: dots with their intervals, one below the other."""
    drawing = figure(70 + 48 * len(estimates))
    for at, (estimate, colour) in enumerate(
        zip(estimates.values(), _colours(), strict=False)
    ):
        if estimate.measurable:
            value, low, high = estimate.value, estimate.low, estimate.high
            drawing.add_scatter(
                x=[value],
                y=[at],
                error_x={**error_bars([value], [low], [high], colour), "thickness": 3},
                mode="markers",
                marker={"size": 13, "color": colour},
                hovertext=estimate.with_n,
                hoverinfo="text",
            )
    drawing.update_xaxes(title=title)
    for at, name in enumerate(estimates):
        # Above its line: beside it, long names would leave no room on a phone.
        drawing.add_annotation(
            text=literal(shortened(name, _LONGEST)),
            x=0,
            xref="paper",
            xanchor="left",
            y=at,
            yshift=15,
            showarrow=False,
            font={"size": 13},
        )
    drawing.update_yaxes(visible=False, range=[len(estimates) - 0.5, -0.7])
    return drawing


def _overlaid(
    curves: Mapping[str, ThresholdCurve], values: Mapping[str, Estimate], what: str
) -> Figure:
    drawing = figure(HEIGHT + _LEGEND_LINE * len(curves))
    pairs = list(zip(curves.items(), _colours(), strict=False))
    for (_name, curve), colour in pairs if len(pairs) <= _BANDS else []:
        add_band(drawing, curve.band_x, curve.low, curve.high, colour)
        drawing.data[-1].showlegend = False
    for (name, curve), colour in pairs:
        shown = literal(name)
        drawing.add_scatter(
            x=curve.x,
            y=curve.y,
            name=f"{literal(shortened(name))}: {what} {values[name]}",
            **line(colour),
            hovertemplate=f"{shown}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>",
        )
    return _named(drawing)


def _colours() -> list[str]:
    return [*OKABE_ITO[:7]] * 3


def _named(drawing: Figure) -> Figure:
    """Names of the lines above the drawing: at their ends they would overlap."""
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
    return drawing.update_layout(showlegend=True, legend=legend)
