"""The simulations behind the rows interval_coverage and test_size, in small."""

import numpy as np
import pytest

from medmodel.benchmark import statistics
from medmodel.benchmark.simulation import SETTINGS, simulate


def test_simulated_splits_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    for setting in SETTINGS:
        a, b = simulate(setting, rng, (2.0, 2.0))
        assert (a.truth == b.truth).all() and (a.scores != b.scores).any()
        assert a.scores.sum(axis=1) == pytest.approx(1)
        assert (a.patients is None) == (setting.patients == 0)


def test_coverage_of_a_few_simulations() -> None:
    found = statistics.coverage(SETTINGS[1], 15)
    assert min(found.values()) > 0.6


def test_equal_models_are_rarely_told_apart() -> None:
    same = statistics.rejections(SETTINGS[1], 0.0, 10)
    apart = statistics.rejections(SETTINGS[1], 1.5, 3)
    assert max(same.values()) < 0.5
    assert apart["auc"] == apart["accuracy"] == 1


def test_table_of_runs_is_measured() -> None:
    (found,) = statistics.compare_1000(5)
    assert found.name == "compare_1000" and found.value > 0
