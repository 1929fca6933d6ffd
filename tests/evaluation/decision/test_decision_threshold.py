"""The decision threshold: when one is chosen, which, and what it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medmodel.evaluation.decision.decision_threshold import (
    FEWEST,
    candidate_threshold,
    choose_decision_threshold,
    threshold_effect,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.runs.status import DecisionThreshold

CLASSES = ["ill", "well"]


def validation(ill: list[float], well: list[float]) -> Predictions:
    """Images with these scores of the class ill."""
    score = np.array([*ill, *well])
    truth = np.repeat([0, 1], [len(ill), len(well)])
    return Predictions(CLASSES, truth, np.stack([score, 1 - score], axis=1), None)


def test_it_lies_between_the_scores_that_it_parts() -> None:
    data = validation([0.3] * 20, [0.1] * 60)
    threshold = choose_decision_threshold(data)
    assert threshold is not None
    assert (threshold.name, threshold.value) == ("ill", pytest.approx(0.2))


def test_it_is_of_the_rarer_class() -> None:
    threshold = choose_decision_threshold(validation([0.8] * 60, [0.6] * 20))
    assert threshold is not None
    assert (threshold.name, threshold.value) == ("well", pytest.approx(0.3))


@pytest.mark.parametrize("rarer", [39, 40])
def test_of_classes_about_as_frequent_the_higher_score_decides(rarer: int) -> None:
    threshold = choose_decision_threshold(
        validation([0.3] * rarer, [0.1] * (100 - rarer))
    )
    assert (threshold is None) == (rarer == 40)


@pytest.mark.parametrize("rarer", [FEWEST - 1, FEWEST])
def test_few_images_tell_no_threshold(rarer: int) -> None:
    threshold = choose_decision_threshold(validation([0.3] * rarer, [0.1] * 60))
    assert (threshold is None) == (rarer < FEWEST)


def test_of_three_classes_the_highest_score_decides() -> None:
    truth = np.repeat([0, 1, 2], [20, 60, 60])
    data = Predictions(["a", "b", "c"], truth, np.eye(3)[truth], None)
    assert choose_decision_threshold(data) is None


def test_a_model_that_says_the_same_of_all_gets_none() -> None:
    assert choose_decision_threshold(validation([0.0] * 20, [0.0] * 60)) is None


def test_a_threshold_that_is_no_better_than_half_is_not_chosen() -> None:
    # 0.75 is best by one image of 100: the next ones may say otherwise.
    ill = [0.9] * 25
    data = validation(ill, [0.1] * 74 + [0.6])
    candidate = candidate_threshold(data)
    assert candidate is not None and candidate.value == pytest.approx(0.75)
    assert choose_decision_threshold(data) is None


def test_images_of_one_patient_do_not_prove_a_threshold() -> None:
    data = validation([0.3] * 25 + [0.9] * 5, [0.1] * 70)
    assert choose_decision_threshold(data) is not None
    one = np.concatenate([np.zeros(25), np.arange(1, 76)]).astype(np.intp)
    assert choose_decision_threshold(replace(data, patients=one)) is None


@pytest.mark.parametrize("decides", [True, False])
def test_the_effect_is_counted_on_the_same_images(decides: bool) -> None:
    # 40 of the ill are found from 0.2 on, which at 0.5 are not.
    data = validation([0.3] * 40 + [0.9] * 10, [0.1] * 150)
    threshold = DecisionThreshold("ill", 0.2) if decides else None
    effect = threshold_effect(data, data, threshold)
    assert effect is not None
    assert effect.threshold.value == pytest.approx(0.2)
    assert (effect.accuracy.value, effect.at_half.value) == (1.0, 0.8)
    assert effect.difference.value == pytest.approx(0.2)
    assert 0 < effect.difference.low < 0.2 < effect.difference.high
    text = str(effect)
    assert ("predicted class is ill from a score of 0.200" in text) == decides
    assert ("as the run is of an earlier version" in text) == (not decides)
    assert "at 0.5 0.800" in text and "+20.0 percentage points" in text


def test_a_threshold_that_chance_chose_is_shown_and_said_not_to_decide() -> None:
    data = validation([0.9] * 25, [0.1] * 74 + [0.6])
    text = str(threshold_effect(data, data, None))
    assert "is not better there beyond chance" in text and "0.750 for ill" in text
    assert "1.000" in text and "at 0.5 0.990" in text


def test_few_images_have_no_interval_of_the_difference() -> None:
    data = validation([0.3], [0.1, 0.2])
    text = str(threshold_effect(data, None, DecisionThreshold("ill", 0.25)))
    assert "percentage points" not in text and "too few" in text


def test_without_imbalanced_classes_there_is_no_effect() -> None:
    even = validation([0.3] * 50, [0.1] * 50)
    assert threshold_effect(even, even, None) is None
    assert threshold_effect(even, None, None) is None
