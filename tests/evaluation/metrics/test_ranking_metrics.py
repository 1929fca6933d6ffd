"""Areas under curves and average precision against definitions and simulated truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from medmodel.benchmark.validity.simulation import Setting, simulate
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.metrics import ranking_metrics
from medmodel.evaluation.metrics.metric_table import METRICS, overall_metrics
from medmodel.evaluation.metrics.ranking_metrics import (
    auc_components,
    auc_estimate,
    mean_precision,
    mean_precision_influence,
    midranks,
    precision_excess,
    precision_influence,
    shrunk_influence,
    weighted_precision,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-5, 5) | st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_midranks_are_those_of_scipy(values: list[float]) -> None:
    drawn = np.array(values, float)
    assert midranks(drawn).tolist() == rankdata(drawn).tolist()


def test_the_lower_end_of_an_average_precision_is_without_its_excess() -> None:
    setting = Setting("", (0.1,) * 10, 200, stratified=True)
    (data,) = simulate(setting, np.random.default_rng(4))
    ranked = [(data.truth == k, data.log_odds[:, k]) for k in range(10)]
    value, influence = mean_precision_influence(ranked)
    excess = sum(precision_excess(*each) for each in ranked) / 10
    found = METRICS["average_precision"].estimate(data)
    assert found.value == value and 0.005 < excess < 0.05
    assert found.low == auc_estimate(value - excess, influence, None, 20).low
    assert found.high == auc_estimate(value, influence, None, 20).high


def test_an_average_precision_that_is_mostly_chance_has_no_interval() -> None:
    """Of thirty classes that cannot be told apart, 10 images each: 0.10 for 0.03."""
    rng = np.random.default_rng(1)
    setting = Setting("", (1 / 30,) * 30, 300, separation=0.1, stratified=True)
    found = overall_metrics(simulate(setting, rng)[0])
    precision = found["average_precision"]
    assert precision.interval == "too few (10 images of class class 0)"
    assert found["auc"].has_interval and found["f1"].has_interval


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_excess_of_average_precision_by_leaving_out_each_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside, outside = rng.integers(2, 9, 2)
    positive = np.arange(inside + outside) < inside
    scores = rng.integers(0, 8, inside + outside) / 7 + 0.3 * positive
    value = precision_influence(positive, scores)[0]
    expected = 0.0
    for group in (positive, ~positive):
        count = int(group.sum())
        weights = np.ones((count, len(scores)))
        weights[:, group] = (1 - np.eye(count)) * count / (count - 1)
        without = weighted_precision(positive, scores, weights)
        expected += (count - 1) * (without.mean() - value)
    # The jackknife's estimate of a bias has that sign: left out, it grows.
    assert precision_excess(positive, scores) == pytest.approx(expected)
    ends = mean_precision([(positive, scores)], None)
    assert not ends.has_interval or 0 <= ends.low <= ends.value <= ends.high <= 1


def test_one_image_of_a_class_has_no_excess_to_leave_out() -> None:
    one = np.arange(5) < 1
    scores = np.arange(5.0)
    assert precision_excess(one, scores) == precision_excess(~one, scores) == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_auc_by_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside, outside = rng.integers(2, 12, 2)
    scores = rng.integers(0, 6, inside + outside) / 5.0
    positive = np.arange(inside + outside) < inside
    area, influence = auc_components(positive, scores)
    pairs = scores[positive][:, None] - scores[~positive][None, :]
    kernel = (pairs > 0) + 0.5 * (pairs == 0)
    assert area == pytest.approx(kernel.mean())
    # DeLong 1988, equations 4 to 6.
    variance = np.var(kernel.mean(1), ddof=1) / inside
    variance += np.var(kernel.mean(0), ddof=1) / outside
    assert np.sum(influence**2) == pytest.approx(variance)
    assert influence[positive].sum() == pytest.approx(0, abs=1e-9)
    expected = (kernel.mean(1) - area) / np.sqrt(inside * (inside - 1))
    assert influence[positive] == pytest.approx(expected)


def test_auc_worked_example() -> None:
    # Hanley and McNeil, Radiology 143 (1982) 29, table I: 109 CT images rated 1 to 5;
    # area 0.893.
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.arange(1.0, 6)
    scores = np.concatenate([np.repeat(ratings, normal), np.repeat(ratings, abnormal)])
    positive = np.arange(109) >= 58
    area, influence = auc_components(positive, scores)
    assert round(area, 3) == 0.893
    assert np.sqrt(np.sum(influence**2)) == pytest.approx(0.032, abs=0.002)
    steady = shrunk_influence(positive, area, influence, None)
    found = auc_estimate(area, steady, None, 51)
    assert (round(found.low, 2), round(found.high, 2)) == (0.81, 0.94)


def test_perfect_auc_is_not_a_point() -> None:
    positive = np.array([True] * 10 + [False] * 90)
    area, influence = auc_components(positive, positive * 1.0)
    found = auc_estimate(area, influence, None, 10)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(10, 10).low)


def test_copies_of_an_image_add_nothing() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(200) < 80
    scores = rng.normal(size=200) + positive
    single = auc_estimate(*auc_components(positive, scores), np.arange(200), 80)
    twice = np.repeat(np.arange(200), 2)
    copied = auc_components(positive[twice], scores[twice])
    doubled = auc_estimate(*copied, twice, 160)
    assert doubled.value == pytest.approx(single.value)
    assert doubled.high - doubled.low == pytest.approx(
        single.high - single.low, rel=0.02
    )


def test_coverage_of_a_rare_class_area() -> None:
    """Twenty images among 400, area 0.95: plain DeLong covers 87 %."""
    rng = np.random.default_rng(3)
    positive = np.arange(400) < 20
    kept = plain = 0
    for _ in range(400):
        scores = rng.normal(size=400) + 2.3262 * positive
        area, influence = auc_components(positive, scores)
        steady = shrunk_influence(positive, area, influence, None)
        found = auc_estimate(area, steady, None, 20)
        half = 1.96 * np.sqrt(np.sum(influence**2))
        kept += found.low <= 0.95 <= found.high
        plain += area - half <= 0.95 <= area + half
    assert 0.93 <= kept / 400 <= 0.99
    assert plain / 400 < 0.92


def test_one_straggler_among_twenty_does_not_make_the_interval_absurd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nineteen of twenty perfectly apart, one far off: area 0.975."""
    positive = np.arange(300) < 20
    scores = np.where(positive, 2.0, np.linspace(0, 1, 300))
    scores[0] = np.median(scores[20:])
    area, influence = auc_components(positive, scores)
    steady = shrunk_influence(positive, area, influence, None)
    assert area == pytest.approx(0.975, abs=1e-3)
    assert 0.75 < auc_estimate(area, steady, None, 20).low < 0.93
    monkeypatch.setattr(ranking_metrics, "STEADY_IMAGES", 1.0)
    assert auc_estimate(area, steady, None, 20).low < 0.7


@pytest.mark.parametrize(
    ("rarest", "patients", "quantile"),
    # Student's, with 2 × 3 - 2 degrees of freedom, with 20, and with 6 of patients.
    [(3, None, 2.776445), (30, None, 2.085963), (30, np.arange(50), 2.446912)],
)
def test_freedom_is_no_more_than_the_rarest_group(
    rarest: int, patients: np.ndarray | None, quantile: float
) -> None:
    influence = np.zeros(50)
    influence[0] = 0.1  # one image matters
    found = auc_estimate(0.8, influence, patients, rarest)
    half = quantile * 0.1 / (0.8 * 0.2)
    if patients is not None:
        half *= np.sqrt(50 / 49)
    assert found.high == pytest.approx(1 / (1 + 0.25 * np.exp(-half)))
    assert found.low == pytest.approx(1 / (1 + 0.25 * np.exp(half)))
