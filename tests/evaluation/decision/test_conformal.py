"""Prediction sets: by hand, and by the law that they promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.evaluation.decision import conformal
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.predictions import Predictions

pytestmark = pytest.mark.usefixtures("every_interval")


def test_by_hand() -> None:
    right = np.array([0.9, 0.5, 0.7, 0.8])
    # Rank ceil(5 × 0.8) = 4 from the top is the lowest of four.
    assert conformal.score_threshold(right, 0.8) == 0.5
    assert conformal.score_threshold(right, 0.6) == 0.7
    # Four images cannot promise 90 %: nothing is left out.
    assert conformal.score_threshold(right, 0.9) == 0


def test_nineteen_images_are_enough_for_95() -> None:
    assert not conformal.enough_images(18, 0.95)
    assert conformal.enough_images(19, 0.95)


def test_rare_classes_are_judged_together_with_all() -> None:
    truth = np.array([0] * 30 + [1] * 3)
    scores = np.where(np.arange(2) == truth[:, None], 0.8, 0.2)
    scores[:30] += [[0.1, -0.1]]
    found = conformal.fit(scores, truth, 0.9)
    assert found.per_class.tolist() == [True, False]
    assert found.thresholds == pytest.approx([0.9, 0.8])
    assert found.sets(np.array([[0.95, 0.05], [0.15, 0.85], [0.5, 0.5]])).tolist() == [
        [True, False],
        [False, True],
        [False, False],
    ]


def test_coverage_holds_on_average_and_per_class() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        truth = rng.choice(3, 300, p=[0.6, 0.3, 0.1])
        logits = rng.normal(size=(300, 3)) + 1.5 * np.eye(3)[truth]
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = conformal.fit(scores[:150], truth[:150], 0.9)
        inside = found.sets(scores[150:])[np.arange(150), truth[150:]]
        held.append([inside[truth[150:] == k].mean() for k in range(2)])
    low, high = 0.895, 0.93
    assert (np.mean(held, axis=0) > low).all()
    assert (np.mean(held, axis=0) < high).all()


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.sampled_from(conformal.COVERAGES),
)
def test_more_coverage_never_asks_for_more(right: list[float], coverage: float) -> None:
    scores = np.array(right)
    assert conformal.score_threshold(scores, coverage) <= conformal.score_threshold(
        scores, 0.5
    )
    least = conformal.score_threshold(scores, coverage)
    assert (scores >= least).mean() >= coverage


def test_what_was_covered_has_an_interval() -> None:
    found = conformal.ConformalPredictor(
        0.9, np.array([0.5, 0.2]), np.ones(2, bool), 50
    )
    scores = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.85, 0.15]])
    held = found.covered(scores, np.array([0, 0, 1, 0]))
    assert held.value == 0.5 and held.n == 4
    assert held.low < 0.5 < held.high


def drawn(seed: int, images: int) -> Predictions:
    """Two classes that are told apart in part; all images come from one place."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=images)
    logits = rng.normal(size=(images, 2)) + 1.5 * np.eye(2)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(["a", "b"], truth, scores, None)


def test_chance_is_no_broken_promise_however_many_are_looked_at() -> None:
    """Of one place; test images alone blamed 17 %, coverages one by one 6 %."""
    blamed = apart = alone = 0
    for seed in range(300):
        measured = conformal.measure(drawn(seed, 60), drawn(seed + 1000, 1000))
        p = [
            conformal.shortfall(m.observed, m.predictor.coverage, 60) for m in measured
        ]
        blamed += any(m.undercovers for m in measured)
        apart += any(value < 0.025 for value in p)
        alone += measured[1].observed.high < 0.9
    assert alone > 30 and apart > blamed and blamed < 9


def test_a_broken_promise_is_noticed() -> None:
    assert conformal.below_target([conformal.shortfall(wilson(820, 1000), 0.9, 100)])[0]
    # Half width of the test's interval 2 points, of the threshold's 5.8.
    p = conformal.shortfall(wilson(860, 1000), 0.9, 100)
    assert conformal.below_target([p]) == [False]


def test_promises_are_judged_together_and_unmeasured_ones_not_at_all() -> None:
    nothing = float("nan")
    assert conformal.below_target([0.02, nothing]) == [True, False]
    assert conformal.below_target([0.02, 0.5]) == [False, False]
    assert conformal.below_target([0.02, nothing, 0.001]) == [True, False, True]
    with_few = replace(wilson(0, 4), low=nothing, high=nothing)
    assert np.isnan(conformal.shortfall(with_few, 0.9, 100))


def test_a_score_at_the_threshold_belongs_to_the_set() -> None:
    scores = np.array([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3], [0.8, 0.2]])
    fitted = conformal.fit(scores, np.zeros(4, np.intp), 0.8)
    assert fitted.thresholds[0] == 0.5
    assert fitted.sets(scores)[:, 0].all()
    assert not fitted.sets(np.array([[0.4999, 0.5001]]))[0, 0]
