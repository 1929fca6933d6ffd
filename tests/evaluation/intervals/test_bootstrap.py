"""Percentiles of draws, and how many images they rest on."""

import numpy as np
import pytest

from medmodel.evaluation.intervals.bootstrap import percentile_interval, smallest_group
from medmodel.evaluation.predictions import Predictions
from tests.evaluation.comparison.test_paired_tests import models

pytestmark = pytest.mark.usefixtures("every_interval")


def test_percentiles_are_expanded_for_few() -> None:
    draws = np.random.default_rng(0).normal(1, 1, 100_000)
    low, high, p = percentile_interval(draws, 10_000)
    assert (low, high) == pytest.approx((-0.96, 2.96), abs=0.03)
    assert p == pytest.approx(0.317, abs=0.01)
    low, high, wider = percentile_interval(draws, 10)
    # sqrt(10/9) times 2.262, Student's t with nine degrees of freedom.
    assert high - low == pytest.approx(2 * 2.262 * np.sqrt(10 / 9), rel=0.02)
    assert wider > p
    # The p value and the interval decide alike.
    for shift in np.arange(-4, 4, 0.25):
        low, high, p = percentile_interval(draws + shift, 20)
        assert (p <= 0.05) == (not low <= 0 <= high)


def test_smallest_group_counts_patients() -> None:
    data = models(0, 8)[0]
    assert smallest_group("f1", [data]) == 4
    calls = np.bincount(data.predicted)
    assert smallest_group("ppv", [data]) == min(4, *calls[calls > 0])
    patients = np.arange(8) // 4 * 2 + data.truth
    together = Predictions(data.classes, data.truth, data.scores, patients)
    assert smallest_group("f1", [together]) == 2


def test_p_values_of_draws_on_one_side_are_not_zero() -> None:
    draws = np.linspace(0.1, 0.2, 99)
    assert percentile_interval(draws, 100_000)[2] == pytest.approx(2 / 100, rel=1e-3)
    assert percentile_interval(-draws, 100_000)[2] == pytest.approx(2 / 100, rel=1e-3)
