"""Several models in one figure: names, values and bands where they belong."""

from __future__ import annotations

import pandas as pd
import pytest

from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.metrics.curves import precision_recall_curve, roc_curve
from medmodel.evaluation.metrics.ranking_metrics import average_precision
from medmodel.evaluation.predictions import Predictions
from medmodel.reports import comparison_figures, plots


def test_precision_recall_curves_name_model_and_average(
    overlapping: Predictions,
) -> None:
    names = ("<i>one", "two")
    curve, average = (
        precision_recall_curve(overlapping, 1),
        average_precision(overlapping, 1),
    )
    drawing = comparison_figures.precision_recall_overlay(
        dict.fromkeys(names, curve), dict.fromkeys(names, average), 0.4
    )
    *bands, first, second, guessing = drawing.data
    assert [first.name, second.name] == [
        f"&lt;i&gt;one: AP {average}",
        f"two: AP {average}",
    ]
    assert list(first.x) == list(curve.x) and list(first.y) == list(curve.y)
    assert first.line.color != second.line.color
    assert list(guessing.y) == [0.4, 0.4] and guessing.showlegend is False
    assert [band.showlegend for band in bands] == [False, False]
    assert list(bands[0].y) == [*curve.low, *curve.high[::-1]]


def test_bands_of_many_models_would_hide_each_other(overlapping: Predictions) -> None:
    names = [f"model {at}" for at in range(4)]
    drawing = comparison_figures.roc_overlay(
        dict.fromkeys(names, roc_curve(overlapping, 1)),
        dict.fromkeys(names, NOT_MEASURABLE),
    )
    assert len(drawing.data) == 5
    assert [line.name.split(":")[0] for line in drawing.data[:4]] == names
    # A line of the legend for each, which takes nothing from the drawing.
    two = comparison_figures.roc_overlay(
        dict.fromkeys(names[:2], roc_curve(overlapping, 1)),
        dict.fromkeys(names[:2], NOT_MEASURABLE),
    )
    assert drawing.layout.height > two.layout.height


def test_intervals_and_epochs() -> None:
    found = {"one": wilson(8, 10), "two": NOT_MEASURABLE}
    drawing = comparison_figures.intervals_figure(found, "Accuracy")
    assert len(drawing.data) == 1
    assert drawing.data[0].error_x.array[0] == pytest.approx(0.943 - 0.8, abs=1e-3)
    assert drawing.data[0].marker.color == plots.OKABE_ITO[0]
    rows = pd.DataFrame(
        {"epoch": [1, 2, 3], "val_loss": [0.5, 0.2, 0.4], "best": [False, True, False]}
    )
    lines = comparison_figures.epochs_figure(
        {"one": rows, "two": rows.head(0)}, "val_loss"
    )
    assert list(lines.data[1].x) == [2]
