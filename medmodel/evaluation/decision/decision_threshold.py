"""Decision threshold: from which score on one of two classes is the predicted class.

Training weighs rare classes, so that 0.5 is about where balanced accuracy is best; the
best threshold of few validation images mostly follows chance. It is chosen once, when a
model was trained, on validation images only, and only where it beats 0.5 there beyond
chance: cross-fitted, so that no image is judged by a threshold that it chose. It is
kept in model.json and holds everywhere. Of more than two classes the highest score
decides: to divide scores by frequencies would make up for them twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medmodel.evaluation.comparison.paired_tests import accuracy_difference
from medmodel.evaluation.decision.predicted_class import (
    between_ends,
    predicted_positions,
)
from medmodel.evaluation.decision.thresholds import Rule, choose_threshold
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import all_images
from medmodel.evaluation.intervals.variance import variance_and_quantile
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions, by_highest_score, subset
from medmodel.language import _, join_sentences
from medmodel.runs.status import DecisionThreshold

IMBALANCED = 0.4
"""Share of the rarer class among validation images, below which one is chosen."""
FOLDS = 10
FEWEST = 20
"""Validation images of each class, at least: fewer do not tell where classes part."""


def choose_decision_threshold(validation: Predictions) -> DecisionThreshold | None:
    """The threshold of the rarer of two classes, where it is better than 0.5.

    Args:
        validation: Validation images and no others.

    Returns:
        None where there is no candidate, or its gain in balanced accuracy over 0.5,
        cross-fitted, has a 95 % interval that holds 0.
    """
    candidate = candidate_threshold(validation)
    if candidate is None or _least_gain(validation, candidate) <= 0:
        return None
    return candidate


def candidate_threshold(validation: Predictions) -> DecisionThreshold | None:
    """The threshold of the rarer of two classes with the best balanced accuracy.

    Returns:
        None of more than two classes, where the classes are about as frequent as each
        other, and where there are too few images to choose by.
    """
    counts = np.bincount(validation.truth, minlength=len(validation.classes))
    if len(counts) != 2 or counts.min() < FEWEST:
        return None
    if counts.min() / counts.sum() >= IMBALANCED:
        return None
    rarer = int(counts.argmin())
    value = choose_threshold(validation, rarer, Rule("youden"))
    if not 0 < value < 1:  # it would call all images, or none
        return None
    return DecisionThreshold(validation.classes[rarer], value)


def _least_gain(validation: Predictions, candidate: DecisionThreshold) -> float:
    """Lower 95 % end of the gain in balanced accuracy over 0.5, cross-fitted.

    Each tenth of the patients, or of the images where patients are not known, is judged
    by the threshold that the other nine tenths choose.
    """
    rarer = validation.classes.index(candidate.name)
    units, n = validation.patients, len(validation.truth)
    fold = (np.arange(n) if units is None else units) % FOLDS
    chosen = np.full(n, np.nan)
    for number in range(FOLDS):
        others = subset(validation, fold != number)
        chosen[fold == number] = choose_threshold(others, rarer, Rule("youden"))
    positive, score = validation.truth == rarer, validation.scores[:, rarer]
    right = (score >= chosen) == positive
    change = right.astype(float) - ((score >= 0.5) == positive)
    weights = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    means = np.where(positive, change[positive].mean(), change[~positive].mean())
    variance, quantile = variance_and_quantile(weights * (change - means), units)
    return float(weights @ change - quantile * np.sqrt(variance))


@dataclass(frozen=True)
class ThresholdEffect:
    """Accuracy of a split at the threshold from validation images, and at 0.5.

    Args:
        classes: Of the model, two.
        threshold: The one from validation images.
        decides: Whether it decides the predicted class; else 0.5 does.
        better: Whether it beats 0.5 on validation images beyond chance; of a run of an
            earlier version it does not decide all the same.
        accuracy: At it.
        at_half: Accuracy of the same scores at 0.5.
        difference: The first minus the second, of the same images.
        p: Of McNemar's test of that difference, two-sided.
    """

    classes: Sequence[str]
    threshold: DecisionThreshold
    decides: bool
    better: bool
    accuracy: Estimate
    at_half: Estimate
    difference: Estimate
    p: float

    def __str__(self) -> str:
        """The sentences."""
        values = {"accuracy": self.accuracy, "at_half": self.at_half}
        if not self.difference.has_interval:
            compared = _(
                "Accuracy at the threshold from validation images {accuracy}, at 0.5 "
                "{at_half}.",
                **values,
            )
        else:
            compared = _(
                "Accuracy at the threshold from validation images {accuracy}, at 0.5 "
                "{at_half}: a difference of {points:+.1f} percentage points "
                "({low:+.1f} to {high:+.1f}).",
                points=100 * self.difference.value,
                low=100 * self.difference.low,
                high=100 * self.difference.high,
                **values,
            )
        return join_sentences([self.rule, compared])

    @property
    def rule(self) -> str:
        """How the predicted class follows from the scores, as a sentence."""
        values = {
            "name": self.threshold.name,
            "value": between_ends(self.threshold.value, 1, 3),
        }
        if self.decides:
            return _(
                "Decision threshold: the predicted class is {name} from a score of "
                "{value} on, below it {other}. Chosen on validation images, where "
                "it is better than 0.5 beyond chance (balanced accuracy).",
                other=next(c for c in self.classes if c != self.threshold.name),
                **values,
            )
        if self.better:
            return _(
                "Decision threshold 0.5, as the run is of an earlier version; a run of "
                "today would take {value} for {name}, chosen on validation images.",
                **values,
            )
        return _(
            "Decision threshold 0.5: the best one on validation images, {value} "
            "for {name}, is not better there beyond chance (balanced accuracy).",
            **values,
        )


def threshold_effect(
    data: Predictions,
    validation: Predictions | None,
    threshold: DecisionThreshold | None,
) -> ThresholdEffect | None:
    """What a threshold from validation images does to the accuracy of a split.

    Args:
        data: The split.
        validation: The run's validation images; None where there are none.
        threshold: That of the model; None where the highest score decides.

    Returns:
        None where the classes are not two imbalanced ones.
    """
    candidate = candidate_threshold(validation) if validation else None
    chosen = threshold or candidate
    if chosen is None:
        return None
    better = threshold is not None
    if validation and candidate and not better:
        better = _least_gain(validation, candidate) > 0
    half = by_highest_score(data)
    positions = predicted_positions(data.scores, data.classes, chosen)
    at_threshold = replace(data, choices=positions)
    difference, p, _images = accuracy_difference(at_threshold, half)
    group = all_images(data.patients, len(data.truth))
    return ThresholdEffect(
        data.classes,
        chosen,
        threshold is not None,
        better,
        METRICS["accuracy"].estimate(at_threshold),
        METRICS["accuracy"].estimate(half),
        where_enough(difference, "accuracy difference", group),
        p,
    )
