"""Paired tests against textbooks, definitions and brute force."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.benchmark.validity.simulation import Setting, simulate
from medmodel.evaluation.comparison import paired_tests
from medmodel.evaluation.comparison.model_comparison import PairedDifference
from medmodel.evaluation.comparison.paired_tests import (
    _correlation,
    _ends_of_difference,
    _p_of_interval,
    accuracy_difference,
    area_difference,
    bootstrap_difference,
    corrected,
    correction,
    holm,
    mcnemar,
)
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.metrics.ranking_metrics import auc_components
from medmodel.evaluation.predictions import Predictions

pytestmark = pytest.mark.usefixtures("every_interval")


def changes(gains: int, losses: int, rest: int = 0) -> np.ndarray:
    return np.repeat([1, -1, 0], [gains, losses, rest])


def models(
    seed: int, n: int = 200, better: float = 0.0
) -> tuple[Predictions, Predictions]:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    found = []
    for advantage in (better, 0.0):
        logit = rng.normal(size=n) + (1.5 + advantage) * (2 * truth - 1)
        score = 1 / (1 + np.exp(-logit))
        scores = np.stack([1 - score, score], axis=1)
        found.append(Predictions(["a", "b"], truth, scores, None))
    return found[0], found[1]


def test_mcnemar_textbook() -> None:
    # Agresti, Categorical Data Analysis, 10.1: 1,600 people asked twice, 150 and 86
    # changed their mind; Fleiss' pairs with 10 and 0 would be 2 / 2^10.
    from scipy.stats import binomtest

    assert mcnemar(changes(150, 86, 1364), None) == pytest.approx(
        binomtest(150, 236).pvalue
    )
    assert mcnemar(changes(150, 86, 1364), None) == pytest.approx(3.7e-5, rel=0.05)
    assert mcnemar(changes(10, 0), None) == pytest.approx(2 / 1024)
    assert mcnemar(changes(4, 4, 3), None) == 1
    assert mcnemar(changes(0, 0, 5), None) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(gains: int, losses: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(gains, gains + losses).pvalue if gains + losses else 1
    assert mcnemar(changes(gains, losses), None) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_mcnemar_by_patient_tries_every_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change, patients = rng.integers(-1, 2, 24), rng.integers(0, 9, 24)
    sums = np.bincount(patients, weights=change)
    signs = np.array(list(itertools.product([-1, 1], repeat=len(sums))))
    expected = np.mean(np.abs(signs @ sums) >= abs(sums.sum()))
    assert mcnemar(change, patients) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_delong_by_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.repeat([1, 0], [14, 23])
    scores = [rng.integers(0, 9, 37) / 9 + 0.2 * truth for _ in range(2)]
    a, b = (
        Predictions(["n", "p"], truth, np.stack([1 - s, s], 1), None) for s in scores
    )
    estimate, p, _ = area_difference(a, b, 1)
    kernels = []
    for s in scores:
        apart = s[truth == 1][:, None] - s[truth == 0]
        kernels.append((apart > 1e-12) + 0.5 * (np.abs(apart) <= 1e-12))
    # DeLong 1988: S10 / m + S01 / n of the two areas.
    s10 = np.cov([k.mean(axis=1) for k in kernels])
    s01 = np.cov([k.mean(axis=0) for k in kernels])
    s = s10 / 14 + s01 / 23
    contrast = np.array([1, -1])
    value = kernels[0].mean() - kernels[1].mean()
    assert estimate.value == pytest.approx(value, abs=1e-12)
    error = math.sqrt(contrast @ s @ contrast)
    from scipy.special import stdtr

    if error > 1e-9:
        assert p == pytest.approx(2 * stdtr(36, -abs(value) / error))


def test_a_model_does_not_differ_from_itself() -> None:
    a, b = models(0)[0], models(0)[0]
    for estimate, p, needed in (
        accuracy_difference(a, b),
        area_difference(a, b),
        bootstrap_difference(a, b, "f1", 100),
    ):
        assert (estimate.value, p, needed) == (0, 1, None)


def test_a_perfect_model_and_one_that_never_varies_are_told_apart() -> None:
    """No image errs more than another: they were called not distinguishable."""
    truth = np.repeat([0, 1], 50)
    perfect = Predictions(["a", "b"], truth, np.eye(2)[truth] * 0.8 + 0.1, None)
    level = replace(perfect, scores=np.full((100, 2), 0.5))
    for one, other, value in ((perfect, level, 0.5), (level, perfect, -0.5)):
        found, p, needed = area_difference(one, other)
        assert found.value == value and p < 0.001 and needed is None
        assert found.low < value < found.high and found.low * found.high > 0
    right = Predictions(["a", "b"], np.array([0, 1]), np.eye(2), None)
    wrong = replace(right, scores=1 - np.eye(2))
    assert area_difference(right, wrong)[1] > 0.05
    assert area_difference(perfect, perfect)[0] == Estimate(0.0, 0.0, 0.0, 100)


def test_two_perfect_models_are_not_known_to_be_equally_good() -> None:
    """Each area of 1 has an interval, so their difference has one as well."""
    truth = np.repeat([0, 1], 40)
    perfect = Predictions(["a", "b"], truth, np.eye(2)[truth] * 0.8 + 0.1, None)
    other = replace(perfect, scores=np.eye(2)[truth] * 0.6 + 0.2)
    alone = METRICS["auc"].measure(perfect, None)
    for found, p, needed in (
        area_difference(perfect, other),
        bootstrap_difference(perfect, other, "average_precision", 50),
    ):
        assert (found.value, p, needed) == (0, 1, None)
        assert found.high == -found.low == pytest.approx(1 - alone.low)
    same = bootstrap_difference(perfect, perfect, "average_precision", 50)[0]
    assert (same.low, same.high) == (0, 0)


def test_scores_of_one_order_hardly_differ() -> None:
    """As before and after calibration: what is common to both is no difference."""
    a, _ = models(3, 200, better=0.4)
    cooler = a.scores**2 / np.sum(a.scores**2, axis=1, keepdims=True)
    found = area_difference(a, replace(a, scores=cooler))[0]
    alone = METRICS["auc"].measure(a, None)
    assert found.value == 0
    assert found.high - found.low < 0.01 * (alone.high - alone.low)


def test_order_only_turns_the_sign() -> None:
    a, b = models(3, better=0.4)
    for test in (accuracy_difference, area_difference):
        one, other = test(a, b), test(b, a)
        assert one[0].value == pytest.approx(-other[0].value)
        assert one[0].low == pytest.approx(-other[0].high)
        assert one[1:] == pytest.approx(other[1:])


def test_copied_images_are_no_evidence() -> None:
    a, b = models(5, 100, better=0.6)
    copies = np.repeat(np.arange(100), 5)
    a5, b5 = (
        Predictions(m.classes, m.truth[copies], m.scores[copies], copies)
        for m in (a, b)
    )
    assert accuracy_difference(a5, b5)[1] == pytest.approx(accuracy_difference(a, b)[1])
    assert area_difference(a5, b5)[1] == pytest.approx(
        area_difference(a, b)[1], rel=0.3
    )
    plain = bootstrap_difference(a, b, "mcc", 400)[0]
    copied = bootstrap_difference(a5, b5, "mcc", 400)[0]
    width = plain.high - plain.low
    assert copied.high - copied.low == pytest.approx(width, rel=0.2)


def test_needed_images_find_the_difference() -> None:
    """Connor's number: with as many images about 80 of 100 trials find it."""
    rng = np.random.default_rng(0)
    a = np.repeat([1, 0, 1, 0], [80, 10, 6, 4])
    b = np.repeat([1, 0, 0, 1], [80, 10, 6, 4])
    truth = np.zeros(100, np.intp)
    one, other = (
        Predictions(["a", "b"], truth, np.stack([h, 1 - h], 1) * 1.0, None)
        for h in (a, b)
    )
    needed = accuracy_difference(one, other)[2]
    # (1.96 √0.10 + 0.8416 √(0.10 - 0.02²))² / 0.02² = 1,960.
    assert needed == 2000
    # Three gains of ten images: (1.96 √0.3 + 0.8416 √(0.3 - 0.3²))² / 0.3² = 23.7.
    wrong = Predictions(["a", "b"], truth[:10], np.eye(2)[[1] * 10], None)
    better = replace(wrong, scores=np.eye(2)[[0] * 3 + [1] * 7])
    assert accuracy_difference(better, wrong)[2] == 24
    found = 0
    for _ in range(200):
        drawn = rng.multinomial(needed, [0.9, 0.06, 0.04])
        found += mcnemar(changes(drawn[1], drawn[2]), None) <= 0.05
    assert 0.7 <= found / 200 <= 0.9


def test_holm_by_hand() -> None:
    # Holm 1979: 0.01 × 4, 0.02 × 3, then 0.03 × 2 and 0.04, never below the last.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("judged", "adjusted", "said"),
    [
        ([True, True, True], [0.03, 0.04, 0.04], "corrected for 3 pairs (Holm)"),
        ([True, False, True], [0.02, 0.02, 0.03], "corrected for 2 pairs (Holm)"),
        ([True, False, False], [0.01, 0.02, 0.03], ""),
        ([False, False, False], [0.01, 0.02, 0.03], ""),
        ([], [], ""),
    ],
)
def test_pairs_are_corrected_for_those_that_are_tested(
    judged: list[bool], adjusted: list[float], said: str
) -> None:
    pairs = [
        PairedDifference(
            "accuracy",
            "a",
            "b",
            (0.5, 0.5),
            Estimate(0.0, *((-0.1, 0.1) if enough else (math.nan, math.nan)), 50),
            (at + 1) / 100,
            "test",
            None,
        )
        for at, enough in enumerate(judged)
    ]
    assert [pair.p for pair in corrected(pairs)] == pytest.approx(adjusted)
    assert said in correction(pairs) and bool(said) == bool(correction(pairs))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_laws(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(a >= v for a, v in zip(adjusted, values, strict=True))
    order = sorted(range(len(values)), key=lambda k: values[k])
    assert [adjusted[k] for k in order] == sorted(adjusted)


def test_areas_of_patients_have_as_many_degrees_of_freedom_as_patients() -> None:
    from scipy.special import stdtr

    a, b = models(2, 24, better=0.8)
    patients = np.arange(24) // 4
    a, b = (replace(model, patients=patients) for model in (a, b))
    parts = [auc_components(a.truth == 1, model.scores[:, 1]) for model in (a, b)]
    sums = np.bincount(patients, weights=parts[0][1] - parts[1][1])
    error = math.sqrt(6 / 5 * np.sum(sums**2))
    value = parts[0][0] - parts[1][0]
    _, p, _ = area_difference(a, b, 1)
    assert p == pytest.approx(2 * stdtr(5, -abs(value) / error))


def test_difference_of_two_intervals_by_hand() -> None:
    one, other = Estimate(0.9, 0.8, 0.93, 50), Estimate(0.5, 0.35, 0.7, 50)
    low, high = _ends_of_difference(one, other, 0.0)
    assert low == pytest.approx(0.4 - math.hypot(0.1, 0.2))
    assert high == pytest.approx(0.4 + math.hypot(0.03, 0.15))
    from scipy.special import ndtr

    p = _p_of_interval(Estimate(0.4, low, high, 50))
    assert p == pytest.approx(2 * ndtr(-1.959964 * 0.4 / math.hypot(0.1, 0.2)))
    turned = _ends_of_difference(other, one, 0.0)
    assert turned == pytest.approx((-high, -low))
    assert _p_of_interval(Estimate(-0.4, *turned, 50)) == pytest.approx(p)
    low, high = _ends_of_difference(one, other, 0.5)
    assert low == pytest.approx(0.4 - math.sqrt((0.01 + 0.04) / 2))
    assert high == pytest.approx(0.4 + math.sqrt((0.0009 + 0.0225) / 2))
    # What both have in common is no difference.
    assert _ends_of_difference(one, one, 1 + 1e-12) == (0, 0)
    far = Estimate(1.0, 0.6, 1.0, 9), Estimate(0.0, 0.0, 0.9, 9)
    assert _ends_of_difference(*far, 0.0)[1] == 1
    assert _ends_of_difference(*far[::-1], 0.0)[0] == -1


def test_the_correlation_of_two_areas_is_that_of_their_patients() -> None:
    one, other = np.array([1.0, -1, 2, -2]), np.array([1.0, -1, -2, 2])
    assert _correlation(one, other, None) == pytest.approx(-6 / 10)
    assert _correlation(one, one, None) == pytest.approx(1)
    together = np.array([0, 1, 0, 1])
    # Sums of patients: 3 and -3, and -1 and 1.
    assert _correlation(one, other, together) == pytest.approx(-1)
    assert _correlation(one, np.zeros(4), None) == 0


def test_a_difference_of_areas_near_1_covers_the_truth() -> None:
    """DeLong's own interval holds this one 79 times of 100."""
    from scipy.special import ndtr

    rng = np.random.default_rng(4)
    setting = Setting("two", (0.5, 0.5), 60, separation=2.1)
    truth = float(ndtr(2.9) - ndtr(2.1))
    right = 0
    for _ in range(200):
        one, other = simulate(setting, rng, (2.9, 2.1))
        found = area_difference(one, other)[0]
        right += found.low <= truth <= found.high
    assert right >= 186


def test_draws_that_mostly_lack_a_class_tell_nothing() -> None:
    """Each model calls b only once: in most draws one of those images is missing."""
    truth = np.repeat([0, 1], 10)
    calls = np.zeros((2, 20), np.intp)
    calls[0, 10] = calls[1, 11] = 1
    a, b = (Predictions(["a", "b"], truth, np.eye(2)[c], None) for c in calls)
    estimate, p, needed = bootstrap_difference(a, b, "mcc", 400)
    assert not estimate.measurable and p == 1 and needed is None


def test_models_without_a_disagreement_are_not_known_to_be_equal() -> None:
    """As of accuracies: one image more on either side, of 20 of each class."""
    truth = np.repeat([0, 1], 20)
    data = Predictions(["a", "b"], truth, np.eye(2)[truth], None)
    half = 1.959964 * np.sqrt(2 / 40**2)
    for metric, span in (("sensitivity", 1), ("mcc", 2)):
        estimate, p, _ = bootstrap_difference(data, data, metric, 50)
        assert (estimate.value, p) == (0, 1)
        assert (estimate.low, estimate.high) == pytest.approx(
            (-span * half, span * half)
        )
    estimate, _, _ = bootstrap_difference(data, data, "brier", 50)
    assert (estimate.low, estimate.high) == (0, 0)


def test_an_interval_grows_by_the_root_of_the_added_variance() -> None:
    low, high = paired_tests._widened((0.1, 0.4, 0.7), (0.4 / 1.959964) ** 2)
    assert (low, high) == pytest.approx((0.4 - 0.5, 0.4 + 0.5))
