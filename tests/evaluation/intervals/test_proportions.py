"""Wilson's intervals of proportions, and those of their means."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.proportions import (
    mean_of_proportions,
    proportion,
    wilson,
)
from medmodel.evaluation.intervals.variance import (
    design_effect,
)
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
)
from medmodel.evaluation.predictions import Predictions


def test_wilson_newcombe_table() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = wilson(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_published_benchmarks() -> None:
    # 86.3 % of 156 and 94.6 % of 624 images, as reported for MedMNIST.
    assert f"{wilson(round(0.863 * 156), 156)}" == "0.865 (0.803–0.910)"
    assert f"{wilson(590, 624)}" == "0.946 (0.925–0.961)"


def test_wilson_of_nothing() -> None:
    assert wilson(0, 0) is NOT_MEASURABLE
    assert str(NOT_MEASURABLE) == "not measurable"


@given(st.integers(1, 500), st.data())
def test_wilson_law(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    found, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)
    wider = wilson(successes, n, design_effect=2)
    assert wider.high - wider.low >= found.high - found.low - 1e-12


def test_mean_of_shares_by_hand() -> None:
    parts = [Estimate(0.8, 0.7, 0.9, 50), Estimate(0.6, 0.4, 0.7, 20), NOT_MEASURABLE]
    found = mean_of_proportions(parts, 70)
    assert found.value == pytest.approx(0.7)
    # Student's quantiles of 49 and 19 degrees of freedom in place of 1.959964.
    first, second = 2.009575 / 1.959964, 2.093024 / 1.959964
    below, above = np.hypot(0.1 * first, np.array([0.2, 0.1]) * second) / 2
    # Of two shares the sides differ less by the root of two.
    even = (below + above) / 2
    assert found.low == pytest.approx(0.7 - even - (below - even) / np.sqrt(2))
    assert found.high == pytest.approx(0.7 + even - (even - above) / np.sqrt(2))
    assert found.n == 70
    assert mean_of_proportions([NOT_MEASURABLE], 0) is NOT_MEASURABLE


def test_mean_of_perfect_shares_is_not_a_point() -> None:
    found = mean_of_proportions([wilson(10, 10), wilson(10, 10)], 20)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.9


def test_coverage_of_the_mean_of_many_shares() -> None:
    """Of 40 shares of 97 % of 60 images: with each one's own sides 0.88."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        parts = [wilson(int(hits), 60) for hits in rng.binomial(60, 0.97, 40)]
        found = mean_of_proportions(parts, 2400)
        held += found.low <= 0.97 <= found.high
    assert held / 200 >= 0.93


def test_a_mean_f1_is_as_well_known_as_its_classes_images_tell() -> None:
    """Of ten of 10 images each, intervals held the truth 91 times of 100 until then."""
    truth = np.repeat(np.arange(10), 10)
    perfect = Predictions([f"{k}" for k in range(10)], truth, np.eye(10)[truth], None)
    low = wilson(10, 10).low
    parts = [Estimate(1.0, 2 * low / (1 + low), 1.0, 10)] * 10
    found = METRICS["f1"].estimate(perfect)
    assert found.low == pytest.approx(mean_of_proportions(parts, 100).low)
    assert class_metrics(perfect, 0)["f1"].n == found.n == 100


def test_a_mean_sensitivity_is_as_well_known_as_its_patients_tell() -> None:
    """Three images of each of ten patients: Student's quantile of 10, not of 30."""
    truth = np.repeat([0, 1], 30)
    right = np.arange(60) % 5 > 0
    both = np.eye(2)[np.where(right, truth, 1 - truth)]
    data = Predictions(["a", "b"], truth, both, np.arange(60) // 3)
    effect = design_effect((right - 0.8) / 30, data.patients, np.full(60, 1 / 30))
    parts = [replace(wilson(24, 30, effect), n=10)] * 2
    found = METRICS["sensitivity"].estimate(data)
    assert found == mean_of_proportions(parts, 60)


def test_coverage_of_clustered_shares() -> None:
    """Patients with four like-minded images: the plain interval would miss the truth.

    A beta-binomial with correlation 0.5; seeded, so the counts are exact.
    """
    rng = np.random.default_rng(7)
    kept = plain = 0
    patients = np.repeat(np.arange(60), 4)
    for _ in range(600):
        chance = rng.beta(0.8, 0.2, 60)
        hits = rng.random(240) < chance[patients]
        right = int(hits.sum())
        effect = design_effect(hits - right / 240, patients)
        clustered, naive = wilson(right, 240, effect), wilson(right, 240)
        kept += clustered.low <= 0.8 <= clustered.high
        plain += naive.low <= 0.8 <= naive.high
    assert 0.92 <= kept / 600 <= 0.985
    assert plain / 600 < 0.85


@given(st.integers(2, 400), st.data())
def test_patients_with_one_image_each_are_as_good_as_images(
    n: int, data: st.DataObject
) -> None:
    """99 of 100 patients had an interval from 0.833, and 95 of 100 one from 0.878."""
    hits = np.arange(n) >= data.draw(st.integers(0, n))
    known, unknown = proportion(hits, np.arange(n)), proportion(hits, None)
    assert known.low <= unknown.low + 1e-12 and known.high >= unknown.high - 1e-12
    assert known.high - known.low <= 1.5 * (unknown.high - unknown.low)


def test_an_error_more_never_raises_the_lower_end() -> None:
    wrong = [np.arange(100) >= errors for errors in range(20)]
    lows = [proportion(hits, np.arange(100)).low for hits in wrong]
    assert lows == sorted(lows, reverse=True)
    assert lows[1] == pytest.approx(0.9455, abs=1e-3)


def test_few_patients_widen_the_interval() -> None:
    hits = np.array([True, True, False, True, True, False])
    many = proportion(hits, np.arange(6))
    few = proportion(hits, np.array([0, 0, 1, 1, 2, 2]))
    one = proportion(hits, np.zeros(6, np.intp))
    assert many.low > few.low and few.high > many.high
    assert one.high - one.low > 0.8
    assert proportion(hits, None, among=hits) == wilson(4, 4)
    assert proportion(hits, None, among=np.zeros(6, bool)) is NOT_MEASURABLE
