"""The dots of a risk, and its curve over the prevalence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medmodel.evaluation.clinical.risk import fit_risk
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import LimitingGroup
from medmodel.reports.risk_figures import icon_array, icon_counts, prevalence_figure
from tests.evaluation.clinical.test_risk import drawn

NONE = math.nan


@pytest.mark.parametrize(
    ("estimate", "counts", "full", "faint", "rings"),
    [
        (Estimate(0.07, 0.05, 0.10, 200), (7, 5, 10), 5, 2, 3),
        (Estimate(0.996, 0.97, 1.0, 200), (100, 97, 100), 97, 3, 0),
        (
            Estimate(0.3, NONE, NONE, 20, LimitingGroup(4, False)),
            (30, 30, 30),
            30,
            0,
            0,
        ),
        (Estimate(0.001, 0.0, 0.004, 200), (0, 0, 0), 0, 0, 0),
    ],
)
def test_dots(
    estimate: Estimate,
    counts: tuple[int, int, int],
    full: int,
    faint: int,
    rings: int,
) -> None:
    assert icon_counts(estimate) == counts
    drawing = icon_array(estimate, "#123456")
    assert drawing.count("<circle") == 100
    assert drawing.count('fill="#123456"/>') == full
    assert drawing.count('fill="#123456" fill-opacity') == faint
    assert drawing.count('stroke="#123456"') == rings


def test_the_curve_rises_with_the_prevalence() -> None:
    model = fit_risk(drawn(), 1)
    drawing = prevalence_figure(model, 0.6, "#123456", 0.05)
    band, curve = drawing.data
    assert np.all(np.diff(curve.y) > 0)
    at = int(np.argmin(np.abs(np.array(curve.x) - 5)))
    assert curve.y[at] == pytest.approx(100 * model.risk(0.6, curve.x[at] / 100).value)
    assert max(band.y) <= 100 and min(band.y) >= 0
    assert len(drawing.layout.shapes) == 2
    assert len(prevalence_figure(model, 0.6, "#123456", None).layout.shapes) == 1
    few = fit_risk(drawn(14, seed=4), 1)
    assert len(prevalence_figure(few, 0.6, "#123456", None).data) == 1
