"""Every metric, per class and overall, each with its 95 % interval and its n.

Shares have Wilson's interval, areas under the ROC curve DeLong's. All others use the
infinitesimal jackknife, the limit of the bootstrap without its noise: what each image
adds to the error is known in closed form, summed by patient where patients are known,
and carried to a scale on which the interval stays within the metric's range.

Reference: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration import brier, calibration_error, log_loss
from medmodel.evaluation.intervals import (
    NOT_MEASURABLE,
    Estimate,
    auc_estimate,
    mean_of_proportions,
    proportion,
    spread,
)
from medmodel.evaluation.predictions import (
    Predictions,
    balanced_accuracy,
    class_area,
    class_areas,
    macro_auc,
)

TITLES: dict[str, str] = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity (recall)",
    "specificity": "Specificity",
    "ppv": "Positive predictive value (precision)",
    "npv": "Negative predictive value",
    "f1": "F1",
    "balanced_accuracy": "Balanced accuracy",
    "mcc": "Matthews correlation",
    "auc": "Area under the ROC curve",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "calibration_error": "Expected calibration error",
}
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "calibration_error"})


def overall_metrics(data: Predictions) -> dict[str, Estimate]:
    """All of `TITLES` for a split; sensitivity to F1 are means over the classes.

    Classes that are absent, or never chosen where a share of choices is asked for,
    are left out of such a mean.
    """
    truth = data.truth[:, None] == np.arange(len(data.classes))
    called = data.predicted[:, None] == np.arange(len(data.classes))
    calls = [
        call_metrics(*columns, data.patients)
        for columns in zip(truth.T, called.T, strict=True)
    ]

    def mean(name: str, counted: NDArray[np.bool_], among: NDArray[Any]) -> Estimate:
        return _macro(data, [call[name] for call in calls], counted, among)

    balanced = balanced_accuracy(data)
    return {
        "accuracy": proportion(data.predicted == data.truth, data.patients),
        "sensitivity": balanced,
        "specificity": mean("specificity", ~called & ~truth, ~truth),
        "ppv": mean("ppv", called & truth, called),
        "npv": mean("npv", ~called & ~truth, ~called),
        "f1": mean("f1", called & truth, (called * 0.5 + truth * 0.5)),
        "balanced_accuracy": balanced,
        "mcc": matthews(data.truth, data.predicted, data.patients),
        "auc": macro_auc(data, class_areas(data)),
        "average_precision": _macro_precision(data),
        "brier": brier(data),
        "log_loss": log_loss(data),
        "calibration_error": calibration_error(data),
    }


def class_metrics(data: Predictions, position: int) -> dict[str, Estimate]:
    """All of `TITLES` for one class against the rest, called where it is first choice.

    Args:
        data: One split.
        position: The class.
    """
    positive, called = data.truth == position, data.predicted == position
    found = call_metrics(positive, called, data.patients)
    area = class_area(data, position)
    found["auc"] = area.estimate(data.patients) if area else NOT_MEASURABLE
    found["average_precision"] = average_precision(data, position)
    found["brier"] = brier(data, position)
    found["log_loss"] = log_loss(data, position)
    found["calibration_error"] = calibration_error(data, position)
    return {name: found[name] for name in TITLES}


def call_metrics(
    positive: NDArray[np.bool_],
    called: NDArray[np.bool_],
    patients: NDArray[np.intp] | None,
) -> dict[str, Estimate]:
    """What follows from yes or no for each image, without regard to its score.

    Args:
        positive: Whether each image is of the class, shape `(n,)`.
        called: Whether it was called so, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.

    Returns:
        accuracy, sensitivity, specificity, ppv, npv, f1, balanced_accuracy, mcc.
    """
    sensitivity = proportion(called, patients, positive)
    specificity = proportion(~called, patients, ~positive)
    both = sensitivity.measurable and specificity.measurable
    return {
        "accuracy": proportion(called == positive, patients),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": proportion(positive, patients, called),
        "npv": proportion(~positive, patients, ~called),
        "f1": _f1(proportion(positive & called, patients, positive | called), positive),
        "balanced_accuracy": mean_of_proportions(
            [sensitivity, specificity], len(positive)
        )
        if both
        else NOT_MEASURABLE,
        "mcc": matthews(positive.astype(np.intp), called.astype(np.intp), patients),
    }


def matthews(
    truth: NDArray[np.intp],
    predicted: NDArray[np.intp],
    patients: NDArray[np.intp] | None,
) -> Estimate:
    """Matthews' correlation of labels and choices, for any number of classes.

    Not measurable where only one class occurs or is ever chosen. The interval is
    symmetric on Fisher's scale; where every choice is right it follows from the
    smallest sensitivities that the classes' numbers leave possible.

    Reference: Gorodkin, Comput. Biol. Chem. 28 (2004) 367.
    """
    n = len(truth)
    value, influence = matthews_influence(truth, predicted)
    if math.isnan(value):
        return NOT_MEASURABLE
    variance, quantile = spread(influence, patients)
    if abs(value) > 1 - 1e-12 or math.isinf(variance) or variance < 1e-15:
        bound = _chance_corrected(truth, predicted, patients)
        return Estimate(value, min(bound.low, value), max(bound.high, value), n)
    half = quantile * math.sqrt(variance) / (1 - value**2)
    centre = math.atanh(value)
    return Estimate(value, math.tanh(centre - half), math.tanh(centre + half), n)


def matthews_influence(
    truth: NDArray[np.intp], predicted: NDArray[np.intp]
) -> tuple[float, NDArray[np.float64]]:
    """Matthews' correlation and what each image adds to its error, shape `(n,)`."""
    n = float(len(truth))
    count = int(max(truth.max(), predicted.max())) + 1
    labels = np.bincount(truth, minlength=count).astype(float)
    choices = np.bincount(predicted, minlength=count).astype(float)
    hits = truth == predicted
    above = n * hits.sum() - labels @ choices
    by_label, by_choice = n**2 - labels @ labels, n**2 - choices @ choices
    if by_label == 0 or by_choice == 0:
        return math.nan, np.zeros(len(truth))
    below = math.sqrt(by_label * by_choice)
    value = float(above / below)
    change = n * hits + hits.sum() - choices[truth] - labels[predicted]
    shrink = (n - labels[truth]) / by_label + (n - choices[predicted]) / by_choice
    return value, change / below - value * shrink


def average_precision(data: Predictions, position: int) -> Estimate:
    """Average precision of one class: precision averaged over its images.

    Reference: as in scikit-learn, without interpolation; on the logit scale: Boyd,
    Eng and Page, Area Under the Precision-Recall Curve, ECML 2013.
    """
    positive = data.truth == position
    inside = int(positive.sum())
    if not inside or inside == len(positive):
        return NOT_MEASURABLE
    value, influence = precision_influence(positive, data.scores[:, position])
    return auc_estimate(value, influence, data.patients, inside)


def precision_influence(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Average precision and what each image adds to its error, shape `(n,)`.

    Args:
        positive: Whether each image is of the class, shape `(n,)`; some must be.
        scores: Shape `(n,)`; images with equal scores are called together.
    """
    _, level = np.unique(scores, return_inverse=True)
    images = np.bincount(level).astype(float)
    hits = np.bincount(level, weights=positive)
    # At or above each distinct score, ascending.
    called = np.cumsum(images[::-1])[::-1]
    right = np.cumsum(hits[::-1])[::-1]
    precision = right / called
    inside = float(hits.sum())
    value = float(hits @ precision / inside)
    # An image changes the precision at every positive image scored no higher.
    gain = np.cumsum(hits / called)
    loss = np.cumsum(hits * right / called**2)
    change = positive * (precision + gain - value)[level] - loss[level]
    return value, change / inside


def _f1(jaccard: Estimate, positive: NDArray[np.bool_]) -> Estimate:
    # F1 = 2 J / (1 + J) with J a plain share: images rightly called among those that
    # are or were called so. Wilson's interval carries over (Lam et al. 2023).
    if not jaccard.measurable:
        return NOT_MEASURABLE
    value, low, high = (
        2 * x / (1 + x) for x in (jaccard.value, jaccard.low, jaccard.high)
    )
    return Estimate(value, low, high, len(positive))


def _macro(
    data: Predictions,
    parts: Sequence[Estimate],
    counted: NDArray[np.bool_],
    among: NDArray[np.generic],
) -> Estimate:
    """Mean over classes of Σ counted ÷ Σ among, both of shape `(n, classes)`.

    The parts' own intervals are joined as if they were independent, then scaled by
    what the images say about their correlation: an error of one class is often an
    error of another one, too.
    """
    totals = np.sum(among, axis=0, dtype=float)
    kept = totals > 0
    found = mean_of_proportions(
        [part for part in parts if part.measurable], len(data.truth)
    )
    if not kept.any():
        return found
    totals, among, counted = totals[kept], among[:, kept], counted[:, kept]
    influence = (counted - counted.sum(axis=0) / totals * among) / totals
    apart = sum(spread(column, data.patients)[0] for column in influence.T)
    joint = spread(influence.sum(axis=1), data.patients)[0]
    if apart < 1e-15 or math.isinf(apart):
        return found
    factor = math.sqrt(joint / apart)
    low = found.value - factor * (found.value - found.low)
    high = found.value + factor * (found.high - found.value)
    return Estimate(found.value, max(low, 0.0), min(high, 1.0), found.n)


def _macro_precision(data: Predictions) -> Estimate:
    found = []
    for position in range(len(data.classes)):
        positive = data.truth == position
        if 0 < positive.sum() < len(positive):
            found.append(precision_influence(positive, data.scores[:, position]))
    if not found:
        return NOT_MEASURABLE
    influence = np.mean([influence for _, influence in found], axis=0)
    return _estimate(data, sum(value for value, _ in found) / len(found), influence)


def _estimate(
    data: Predictions, value: float, influence: NDArray[np.float64]
) -> Estimate:
    counts = np.bincount(data.truth)
    rarest = int(counts[counts > 0].min())
    return auc_estimate(value, influence, data.patients, rarest)


def _chance_corrected(
    truth: NDArray[np.intp],
    predicted: NDArray[np.intp],
    patients: NDArray[np.intp] | None,
) -> Estimate:
    """Balanced accuracy rescaled so that guessing is 0 and perfection 1."""
    classes: Sequence[int] = np.unique(truth).tolist()
    parts = [proportion(predicted == k, patients, truth == k) for k in classes]
    mean, count = mean_of_proportions(parts, len(truth)), len(parts)
    value, low, high = (
        (count * x - 1) / (count - 1) for x in (mean.value, mean.low, mean.high)
    )
    return Estimate(value, low, high, len(truth))
