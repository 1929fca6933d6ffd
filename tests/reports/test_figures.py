"""Figures of curves: the right points, names as text, clicks that tell where."""

import math

import numpy as np
import pytest

from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.metrics.curves import (
    decision_curve,
    precision_recall_curve,
    roc_curve,
    score_histogram,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.reports import figures, plots

COLOUR = "#0072B2"


def test_the_dot_lies_where_the_threshold_calls(overlapping: Predictions) -> None:
    drawing = figures.roc_figure(roc_curve(overlapping, 1), COLOUR, threshold=0.5)
    dot = drawing.data[-1]
    called = overlapping.scores[:, 1] >= 0.5
    assert dot.y[0] == pytest.approx(called[overlapping.truth == 1].mean())
    assert dot.x[0] == pytest.approx(called[overlapping.truth == 0].mean())
    none = figures.roc_figure(roc_curve(overlapping, 1), COLOUR, threshold=math.nan)
    assert len(none.data) == len(drawing.data) - 1


def test_precision_recall_shows_what_guessing_gets(overlapping: Predictions) -> None:
    curve = precision_recall_curve(overlapping, 1)
    drawing = figures.precision_recall_figure(curve, COLOUR, 0.4, 0.5)
    assert list(drawing.data[2].y) == [0.4, 0.4]
    # What calls nothing has no precision: its dot lay on the first image called.
    nothing = figures.precision_recall_figure(curve, COLOUR, 0.4, 0.999)
    assert len(nothing.data) == len(drawing.data) - 1


def test_histogram_counts_upwards_and_downwards(overlapping: Predictions) -> None:
    found = score_histogram(overlapping, 1, 10)
    drawing = figures.histogram_figure(found, "<b>", COLOUR, 0.5)
    up, unseen_up, down, unseen_down = drawing.data
    assert sum(up.y) == pytest.approx(100) and sum(up.customdata) == sum(found.inside)
    assert sum(down.y) == pytest.approx(-100)
    for unseen, counts in ((unseen_up, found.inside), (unseen_down, found.outside)):
        used = np.flatnonzero(counts)
        assert [list(c)[:2] for c in unseen.customdata] == [
            pytest.approx(found.edges[[at, at + 1]]) for at in used
        ]
        assert unseen.marker.opacity == 0
    assert "&lt;b&gt;" in drawing.layout.xaxis.title.text
    ticks = drawing.layout.yaxis
    assert [abs(v) for v in ticks.tickvals] == [int(t) for t in ticks.ticktext]


def test_a_point_of_the_reliability_diagram_tells_its_bin(
    overlapping: Predictions,
) -> None:
    bins = reliability_diagram(overlapping)
    drawing = figures.reliability_figure(bins, COLOUR, "right")
    used = [b for b in bins if b.count]
    assert [list(c) for c in drawing.data[1].customdata] == [
        [b.low, b.high] for b in used
    ]
    assert list(drawing.data[1].text) == [str(b.count) for b in used]


def test_a_cell_of_the_matrix_tells_its_classes() -> None:
    matrix = plots.confusion_figure(["a", "b"], np.array([[3, 1], [0, 4]]))
    drawing = figures.clickable(matrix, ["a", "b"])
    squares = drawing.data[-1]
    at = [list(cell) for cell in squares.customdata].index([0, 1])
    assert (squares.x[at], squares.y[at]) == (1, 0)
    assert squares.hovertext[at].startswith("1 of 4 a")


def test_decision_curve(overlapping: Predictions) -> None:
    benefit = figures.benefit_figure(decision_curve(overlapping, 1), COLOUR, 0.3)
    assert len(benefit.data) == 3
