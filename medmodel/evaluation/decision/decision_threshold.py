"""Decision threshold: from which score on one of two classes is the predicted class.

Where a class is rare, a score of 0.5 is no natural border between two classes. The
threshold is chosen once, on validation images only, when a model was trained; it is
kept in its model.json and holds everywhere. Of more than two classes the highest score
decides: class weights in training have made up for their frequencies, and dividing
scores by frequencies would do so twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medmodel.evaluation.intervals import Estimate, all_images, where_enough
from medmodel.evaluation.metrics import METRICS
from medmodel.evaluation.paired_tests import accuracy_difference
from medmodel.evaluation.predictions import Predictions, by_highest_score
from medmodel.evaluation.thresholds import Rule, choose_threshold
from medmodel.language import _, join_sentences
from medmodel.runs.status import DecisionThreshold

IMBALANCED = 0.4
"""Share of the rarer class among validation images, below which one is chosen."""
FEWEST = 20
"""Validation images of each class, at least: fewer do not tell where classes part."""


def choose_decision_threshold(data: Predictions) -> DecisionThreshold | None:
    """The threshold of the rarer of two classes with the best balanced accuracy.

    Args:
        data: Validation images and no others.

    Returns:
        None of more than two classes, where the classes are about as frequent as each
        other, and where there are too few images to choose by.
    """
    counts = np.bincount(data.truth, minlength=len(data.classes))
    if len(counts) != 2 or counts.min() < FEWEST:
        return None
    if counts.min() / counts.sum() >= IMBALANCED:
        return None
    rarer = int(counts.argmin())
    value = choose_threshold(data, rarer, Rule("youden"))
    if not 0 < value < 1:  # it would call all images, or none
        return None
    return DecisionThreshold(data.classes[rarer], value)


@dataclass(frozen=True)
class ThresholdEffect:
    """What a decision threshold does to the accuracy of a split, against 0.5.

    Args:
        classes: Of the model, two.
        threshold: The model's.
        accuracy: At it.
        at_half: Accuracy of the same scores at 0.5.
        difference: The first minus the second, of the same images.
        p: Of McNemar's test of that difference, two-sided.
    """

    classes: Sequence[str]
    threshold: DecisionThreshold
    accuracy: Estimate
    at_half: Estimate
    difference: Estimate
    p: float

    def __str__(self) -> str:
        """The sentences."""
        low, high = 100 * self.difference.low, 100 * self.difference.high
        values = {"accuracy": self.accuracy, "at_half": self.at_half}
        if not self.difference.has_interval:
            compared = _(
                "Accuracy {accuracy}; at the threshold 0.5 it is {at_half}.", **values
            )
        else:
            compared = _(
                "Accuracy {accuracy}; at the threshold 0.5 it is {at_half}: a "
                "difference of {points:+.1f} percentage points ({low:+.1f} to "
                "{high:+.1f}).",
                points=100 * self.difference.value,
                low=low,
                high=high,
                **values,
            )
        return join_sentences([self.rule, compared])

    @property
    def rule(self) -> str:
        """How the predicted class follows from the scores, as a sentence."""
        name = self.threshold.name
        return _(
            "The predicted class is {name} from a score of {value:.3f} on, below it "
            "{other}: the threshold with the best balanced accuracy on validation "
            "images, chosen because the classes are imbalanced.",
            name=name,
            value=self.threshold.value,
            other=next(each for each in self.classes if each != name),
        )


def threshold_effect(
    data: Predictions, threshold: DecisionThreshold | None
) -> ThresholdEffect | None:
    """What the threshold of a model does to a split; None of a model without one.

    Args:
        data: The split, its predicted classes by the threshold.
        threshold: Of the model.
    """
    if threshold is None or data.choices is None:
        return None
    half = by_highest_score(data)
    difference, p, _images = accuracy_difference(data, half)
    group = all_images(data.patients, len(data.truth))
    return ThresholdEffect(
        data.classes,
        threshold,
        METRICS["accuracy"].estimate(data),
        METRICS["accuracy"].estimate(half),
        where_enough(difference, "accuracy difference", group),
        p,
    )
