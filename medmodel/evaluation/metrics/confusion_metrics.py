"""Metrics of predicted classes: accuracy, sensitivity, predictive values, F1, Matthews.

Each takes a split and the position of a class, which stands against the rest; without a
position it is the mean over the classes. Classes that are absent, or never chosen where
a share of choices is asked for, are left out of such a mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.proportions import (
    mean_of_proportions,
    proportion,
    wilson,
)
from medmodel.evaluation.intervals.variance import design_effect, variance_and_quantile
from medmodel.evaluation.predictions import Predictions, Weights

Mask = NDArray[np.bool_]
Counts = Callable[[Mask, Mask], tuple[Mask, NDArray[np.generic]]]
"""(is of the class, was called so) -> (hits, among which they are counted)."""


def sensitivity_counts(positive: Mask, called: Mask) -> tuple[Mask, Mask]:
    """True positives among the images of the class."""
    return positive & called, positive


def specificity_counts(positive: Mask, called: Mask) -> tuple[Mask, Mask]:
    """True negatives among all other images."""
    return ~positive & ~called, ~positive


def ppv_counts(positive: Mask, called: Mask) -> tuple[Mask, Mask]:
    """True positives among the images called so."""
    return positive & called, called


def npv_counts(positive: Mask, called: Mask) -> tuple[Mask, Mask]:
    """True negatives among the images not called so."""
    return ~positive & ~called, ~called


def _f1_counts(positive: Mask, called: Mask) -> tuple[Mask, NDArray[np.float64]]:
    return positive & called, 0.5 * positive + 0.5 * called


def rate(counts: Counts, data: Predictions, position: int | None = None) -> Estimate:
    """A share of images: sensitivity, specificity or a predictive value.

    Args:
        counts: What is counted among what.
        data: One split.
        position: The class; None for the mean over the classes.
    """
    if position is None:
        parts = [rate(counts, data, at) for at in range(len(data.classes))]
        return _mean(data, parts, *counts(*_one_hot(data)))
    hits, among = counts(*_against_rest(data, position))
    return proportion(hits, data.patients, among.astype(bool))


def weighted_rate(counts: Counts, data: Predictions, weights: Weights) -> Weights:
    """Mean of a rate over the classes, shape `(b,)`, for weights of shape `(b, n)`."""
    above, below = (weights @ part.astype(float) for part in counts(*_one_hot(data)))
    measurable = below > 0
    ratios = np.divide(above, below, out=np.zeros_like(above), where=measurable)
    with np.errstate(invalid="ignore"):
        mean: Weights = ratios.sum(axis=1) / measurable.sum(axis=1)
    return mean


def accuracy(data: Predictions, position: int | None = None) -> Estimate:
    """Proportion of images whose predicted class is the true class."""
    if position is None:
        return proportion(data.predicted == data.truth, data.patients)
    positive, called = _against_rest(data, position)
    return proportion(called == positive, data.patients)


def weighted_accuracy(data: Predictions, weights: Weights) -> Weights:
    """`accuracy`, shape `(b,)`, for weights of shape `(b, n)`."""
    return weights @ (data.predicted == data.truth) / weights.sum(axis=1)


def sensitivity(data: Predictions, position: int | None = None) -> Estimate:
    """Share of a class's images that were recognised (recall)."""
    if position is None:
        return balanced_accuracy(data)
    return rate(sensitivity_counts, data, position)


def balanced_accuracy(data: Predictions, position: int | None = None) -> Estimate:
    """Mean sensitivity of the classes that occur; of one class, with specificity."""
    if position is not None:
        counted = (sensitivity_counts, specificity_counts)
        rates = [rate(counts, data, position) for counts in counted]
        if not all(each.measurable for each in rates):
            return NOT_MEASURABLE
        return mean_of_proportions(rates, len(data.truth))
    n, hits = len(data.truth), data.predicted == data.truth
    counts = np.bincount(data.truth, minlength=len(data.classes))
    right = np.bincount(data.truth[hits], minlength=len(data.classes))
    with np.errstate(invalid="ignore"):
        shares = right / counts
    weights = 1 / counts[data.truth]
    influence = (hits - shares[data.truth]) * weights
    effect = design_effect(influence, data.patients, weights)
    parts = [wilson(int(r), int(c), effect) for r, c in zip(right, counts, strict=True)]
    if data.patients is not None:
        # Each share is known as well as so many patients tell, not images.
        alone = np.unique(np.stack([data.truth, data.patients]), axis=1)[0]
        counts = np.bincount(alone, minlength=len(data.classes))
    units = zip(parts, counts.tolist(), strict=True)
    return mean_of_proportions([replace(part, n=count) for part, count in units], n)


def f1(data: Predictions, position: int | None = None) -> Estimate:
    """Harmonic mean of sensitivity and positive predictive value.

    F1 = 2 J / (1 + J) with J a plain share: images rightly called among those that are
    or were called so. Wilson's interval carries over.

    Reference: Lam et al., BioData Mining 16 (2023).
    """
    if position is None:
        parts = [_f1_of_class(data, at) for at in range(len(data.classes))]
        return _mean(data, parts, *_f1_counts(*_one_hot(data)))
    found = _f1_of_class(data, position)
    return replace(found, n=len(data.truth)) if found.measurable else found


def _f1_of_class(data: Predictions, position: int) -> Estimate:
    """With the images that its interval rests on as `n`."""
    positive, called = _against_rest(data, position)
    jaccard = proportion(positive & called, data.patients, positive | called)
    ends = (jaccard.value, jaccard.low, jaccard.high)
    value, low, high = (2 * x / (1 + x) for x in ends)
    return Estimate(value, low, high, jaccard.n)


def weighted_f1(data: Predictions, weights: Weights) -> Weights:
    """`f1`, shape `(b,)`, for weights of shape `(b, n)`."""
    return weighted_rate(_f1_counts, data, weights)


def matthews(data: Predictions, position: int | None = None) -> Estimate:
    """Matthews' correlation (MCC) of labels and choices, for any number of classes.

    Not measurable where only one class occurs or is ever chosen. The interval is
    symmetric on Fisher's scale; where every choice is right it follows from the
    smallest sensitivities that the classes' numbers leave possible.

    Reference: Gorodkin, Comput. Biol. Chem. 28 (2004) 367.
    """
    truth, predicted = data.truth, data.predicted
    if position is not None:
        truth, predicted = ((x == position).astype(np.intp) for x in (truth, predicted))
    value, influence = matthews_influence(truth, predicted)
    if math.isnan(value):
        return NOT_MEASURABLE
    n = len(truth)
    variance, quantile = variance_and_quantile(influence, data.patients)
    if abs(value) > 1 - 1e-12 or math.isinf(variance) or variance < 1e-15:
        bound = _chance_corrected(truth, predicted, data.patients)
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


def weighted_matthews(data: Predictions, weights: Weights) -> Weights:
    """`matthews`, shape `(b,)`, for weights of shape `(b, n)`."""
    positive, called = (mask.astype(float) for mask in _one_hot(data))
    labels, choices = weights @ positive, weights @ called
    hits, total = weights @ (data.predicted == data.truth), weights.sum(axis=1)
    above = total * hits - np.sum(labels * choices, axis=1)
    below = (total**2 - np.sum(labels**2, axis=1)) * (
        total**2 - np.sum(choices**2, axis=1)
    )
    with np.errstate(invalid="ignore"):
        ratio: Weights = above / np.sqrt(below)
    return ratio


def _against_rest(data: Predictions, position: int) -> tuple[Mask, Mask]:
    return data.truth == position, data.predicted == position


def _one_hot(data: Predictions) -> tuple[Mask, Mask]:
    """Whether each image is of each class, was called so; shape `(n, classes)`."""
    classes = np.arange(len(data.classes))
    return data.truth[:, None] == classes, data.predicted[:, None] == classes


def _mean(
    data: Predictions,
    parts: Sequence[Estimate],
    hits: Mask,
    among: NDArray[np.generic],
) -> Estimate:
    """Mean over the classes of Σ hits ÷ Σ among, both of shape `(n, classes)`.

    The parts' own intervals are joined as if they were independent, then scaled by
    what the images say about their correlation: an error of one class is often an
    error of another one, too.
    """
    mean = mean_of_proportions(list(parts), len(data.truth))
    totals = np.sum(among, axis=0, dtype=float)
    occurring = totals > 0
    if not occurring.any():
        return mean
    totals, among, hits = totals[occurring], among[:, occurring], hits[:, occurring]
    influence = (hits - hits.sum(axis=0) / totals * among) / totals
    apart = sum(variance_and_quantile(x, data.patients)[0] for x in influence.T)
    joint = variance_and_quantile(influence.sum(axis=1), data.patients)[0]
    if apart < 1e-15 or math.isinf(apart):
        return mean
    factor = math.sqrt(joint / apart)
    low = mean.value - factor * (mean.value - mean.low)
    high = mean.value + factor * (mean.high - mean.value)
    return Estimate(mean.value, max(low, 0.0), min(high, 1.0), mean.n)


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
