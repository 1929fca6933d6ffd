"""What acting on a score is worth, against acting on everybody or on nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals import variance_and_quantile
from medmodel.evaluation.predictions import Predictions


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit of acting on the score, against acting on all or on nobody.

    Args:
        thresholds: Probabilities from which one would act, shape `(m,)`.
        model: Net benefit of the model, true positives per patient, shape `(m,)`.
        low: Lower ends of its pointwise 95 % intervals.
        high: Upper ends.
        everybody: Net benefit of acting on everybody; on nobody it is 0.
    """

    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    everybody: NDArray[np.float64]


def decision_curve(
    data: Predictions, position: int, thresholds: NDArray[np.float64] | None = None
) -> DecisionCurve:
    """Net benefit over the probabilities from which one would act.

    True positives minus false positives weighted with the odds of the threshold, per
    patient. Means something only where scores are calibrated.

    Args:
        data: One split.
        position: The class.
        thresholds: In (0, 1), shape `(m,)`; default 0.01 to 0.99.

    Raises:
        DataError: The class, or everything else, is absent; or a threshold lies
            outside (0, 1).

    Reference: Vickers and Elkin, Medical Decision Making 26 (2006) 565.
    """
    if thresholds is None:
        thresholds = np.arange(1, 100) / 100
    positive, score = data.truth == position, data.scores[:, position]
    if positive.all() or not positive.any():
        raise DataError("No decision curve: only one kind of image for this class.")
    if thresholds.min() <= 0 or thresholds.max() >= 1:
        raise DataError("The thresholds of a decision curve lie between 0 and 1.")
    odds = thresholds / (1 - thresholds)
    worth = np.where(positive[:, None], 1.0, -odds) * (score[:, None] >= thresholds)
    n, model = len(score), worth.mean(axis=0)
    half = np.empty(len(model))
    for at in range(len(model)):
        influence = (worth[:, at] - model[at]) / n
        variance, quantile = variance_and_quantile(influence, data.patients)
        half[at] = quantile * math.sqrt(variance)
    # One patient bounds nothing: then all that a single image can be worth does.
    low, high = np.maximum(model - half, -odds), np.minimum(model + half, 1.0)
    share = float(positive.mean())
    everybody = share - (1 - share) * odds
    return DecisionCurve(thresholds, model, low, high, everybody)
