"""Estimates as JSON and as lines of a table."""

from __future__ import annotations

import math

from medmodel.cli.answers.numbers import estimate_values, metric_row, metric_values
from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate


def test_values() -> None:
    estimate = Estimate(0.5, 0.25, 0.75, 8)
    values = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    assert estimate_values(estimate) == values
    assert metric_values({"auc": estimate}) == {"auc": values}
    assert math.isnan(estimate_values(NOT_MEASURABLE)["value"])


def test_rows_name_means_over_classes_as_such() -> None:
    estimate = Estimate(0.5, 0.25, 0.75, 1234)
    whole = metric_row("sensitivity", estimate)
    assert whole == [
        "Sensitivity (recall), macro-averaged"
        if "recall" in whole[0]
        else "Sensitivity, macro-averaged",
        "0.500 (0.250–0.750)",
        "1,234",
    ]
    assert "averaged" not in metric_row("sensitivity", estimate, whole=False)[0]
