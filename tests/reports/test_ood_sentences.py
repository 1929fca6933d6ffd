"""Sentences on images that are unlike the training data."""

from __future__ import annotations

import pytest

from medmodel.evaluation.ood.results import OodResult, ThresholdBasis
from medmodel.reports.ood_sentences import is_unlike_training, why_unlike_training

MANY = ThresholdBasis(60, 340, 400, 0.03, 0.075)


def test_farther_than_nearly_all_is_not_called_all() -> None:
    """399 of 400 were said to be 100 %."""
    sentence = why_unlike_training(OodResult(399 / 400, True, [], [], MANY))
    assert "than > 99 % of the 60 validation images and 340 training" in sentence
    assert "about 5 %" in sentence and "3 % to 8 %" in sentence
    older = ThresholdBasis(1, 0, 1, 0.025, 0.975)
    sentence = why_unlike_training(OodResult(1.0, True, [], [], older))
    assert "than each of the 1 validation image by which" in sentence
    assert "training images left out" not in sentence


@pytest.mark.parametrize(
    ("ood", "split", "unlike"),
    [
        (None, "", False),
        (OodResult(0.5, False, [], [], MANY), "", False),
        (OodResult(1.0, True, [], [], MANY), "", True),
        (OodResult(1.0, True, [], [], MANY), "val", True),
        (OodResult(1.0, True, [], [], MANY), "train", False),
        (OodResult(0.5, False, ["It has colours."], [], MANY), "train", True),
    ],
)
def test_images_that_were_trained_on_are_unlike_by_facts_alone(
    ood: OodResult | None, split: str, unlike: bool
) -> None:
    assert is_unlike_training(ood, split) is unlike


def test_facts_come_before_the_distance() -> None:
    sentence = why_unlike_training(OodResult(1.0, True, ["It has colours."], [], MANY))
    assert sentence.startswith("It has colours. It lies farther from ")
    sentence = why_unlike_training(OodResult(0.5, False, ["It is small."], [], MANY))
    assert "farther" not in sentence and "do not rely on" in sentence
