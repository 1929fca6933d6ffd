"""Calibration: Brier score, log loss, expected calibration error, reliability diagram.

Whether a score of 80 % means 80 %, as functions of a predictions table's arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import LimitingGroup, count_units
from medmodel.evaluation.intervals.proportions import proportion
from medmodel.evaluation.intervals.variance import variance_and_quantile
from medmodel.evaluation.predictions import Predictions, Weights

BINS = 10
_TINY = float(np.finfo(np.float64).eps)  # scikit-learn clips there, too
_DRAWS = 1000


@dataclass(frozen=True)
class ReliabilityBin:
    """One bar of a reliability diagram.

    Args:
        low: Lower edge of its scores, excluded (except 0).
        high: Upper edge, included.
        count: Images whose score lies in it.
        mean_score: Their mean score; not-a-number where there is none.
        share: How many of them are what the score speaks of.
    """

    low: float
    high: float
    count: int
    mean_score: float
    share: Estimate


def confidence(
    data: Predictions, position: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What a score claims, and whether it came true.

    Args:
        data: One split.
        position: A class, for its score and whether the image is of it; None for the
            predicted class's score and whether it is right.

    Returns:
        Both of shape `(n,)`.
    """
    if position is not None:
        return data.scores[:, position], data.truth == position
    n = np.arange(len(data.truth))
    return data.scores[n, data.predicted], data.predicted == data.truth


def bin_numbers(scores: NDArray[np.floating], bins: int = BINS) -> NDArray[np.intp]:
    """Number of the equally wide bin `(low, high]` of each score, shape `(n,)`."""
    return np.clip(np.ceil(scores * bins) - 1, 0, bins - 1).astype(np.intp)


def reliability_diagram(
    data: Predictions, position: int | None = None, bins: int = BINS
) -> list[ReliabilityBin]:
    """The reliability diagram: equally wide bins, empty ones included.

    Args:
        data: One split.
        position: A class, or None for the predicted class.
        bins: How many, 2 to 100.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    score, right = confidence(data, position)
    number = bin_numbers(score, bins)
    diagram = []
    for at in range(bins):
        inside = number == at
        count = int(inside.sum())
        mean = float(score[inside].mean()) if count else math.nan
        low, high = at / bins, (at + 1) / bins
        share = proportion(right, data.patients, inside)
        units = count_units(inside, data.patients)
        group = LimitingGroup(units, data.patients is not None)
        share = where_enough(share, "accuracy", group)
        diagram.append(ReliabilityBin(low, high, count, mean, share))
    return diagram


def calibration_error(
    data: Predictions, position: int | None = None, bins: int = BINS
) -> Estimate:
    """Expected calibration error: mean distance of score and share over the bins.

    Its plain value is too large on few images, even of a perfect model. The lower end
    is therefore the smallest miscalibration under which the value seen would not be
    unusually large (a test inverted, along gaps of the shape seen): 0 where a perfect
    model could have got it. The upper end adds what chance may have taken away.

    Reference: Guo et al., ICML 2017; the bias: Kumar et al., Verified Uncertainty
    Calibration, NeurIPS 2019.
    """
    score, right = confidence(data, position)
    n = len(score)
    number = bin_numbers(score, bins)
    count = np.bincount(number, minlength=bins)
    used = np.maximum(count, 1)
    claimed = np.bincount(number, weights=score, minlength=bins) / used
    gaps = np.bincount(number, weights=right - score, minlength=bins) / n
    value = float(np.abs(gaps).sum())
    chance = _chance_draws(score, right, number, data.patients, bins)
    # What would be seen at each size of the gaps: shape (sizes, draws).
    sizes = np.linspace(0, 1, 21)
    # A bin without an error is not certain: one image more, as it was claimed.
    off = gaps * n / (used + 1)
    seen = np.array(
        [
            np.abs(size * gaps + chance * _deviation(count, claimed, size * off)).sum(1)
            for size in sizes
        ]
    )
    # Nothing wrong was seen, and nothing uncertain said: scores may still be too high
    # by what the share of right images may be lower.
    share, mean = proportion(right, data.patients), float(score.mean())
    least = max(mean - share.low, share.high - mean)
    if value < 1e-12:
        return Estimate(0.0, 0.0, max(float(np.quantile(seen[0], 0.95)), least), n)
    # 98 instead of 97.5 %: the gaps' shape is itself taken from these images.
    low = np.interp(value, np.quantile(seen, 0.98, axis=1), sizes) * value
    middle, high = np.quantile(seen[-1], [0.5, 0.975])
    above = max(value + float(high - middle), least)
    return Estimate(value, float(low), min(above, 1.0), n)


def _deviation(
    count: NDArray[np.intp], claimed: NDArray[np.float64], off: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviation of each bin's gap, where shares are so far off their scores.

    It is of the share of right images in a bin, and of how many images fall into it.
    """
    share, n = claimed + off, count.sum()
    variance = share * (1 - share) + off**2 * (1 - count / n)
    return np.sqrt(count * np.maximum(variance, 0.0)) / n


def weighted_calibration_error(data: Predictions, weights: Weights) -> Weights:
    """`calibration_error`, shape `(b,)`, for weights of shape `(b, n)`."""
    score, right = confidence(data)
    inside = bin_numbers(score)[:, None] == np.arange(BINS)
    gaps = weights @ (inside * (right - score)[:, None])
    error: Weights = np.abs(gaps).sum(axis=1) / weights.sum(axis=1)
    return error


def brier(data: Predictions, position: int | None = None) -> Estimate:
    """Mean squared distance of scores from the truth; 0 is best.

    For one class, or of two, in [0, 1]; overall with more classes the sum over the
    classes, in [0, 2], as Brier wrote it and scikit-learn has it.

    Reference: Brier, Monthly Weather Review 78 (1950) 1.
    """
    worst = 2.0 if position is None and len(data.classes) > 2 else 1.0
    return mean_loss(brier_losses(data, position), data.patients, worst)


def brier_losses(data: Predictions, position: int | None = None) -> NDArray[np.float64]:
    """Each image's part of `brier`, shape `(n,)`."""
    if position is not None:
        return (data.scores[:, position] - (data.truth == position)) ** 2
    right = np.eye(len(data.classes))[data.truth]
    halves = 2 if len(data.classes) == 2 else 1
    return np.sum((data.scores - right) ** 2, axis=1) / halves


def weighted_brier(data: Predictions, weights: Weights) -> Weights:
    """`brier`, shape `(b,)`, for weights of shape `(b, n)`."""
    return weights @ brier_losses(data) / weights.sum(axis=1)


def log_loss(data: Predictions, position: int | None = None) -> Estimate:
    """Mean negative natural logarithm of the true class's score; 0 is best.

    Reference: Good, J. R. Stat. Soc. B 14 (1952) 107; clipped as in scikit-learn.
    """
    return mean_loss(log_losses(data, position), data.patients, -math.log(_TINY))


def log_losses(data: Predictions, position: int | None = None) -> NDArray[np.float64]:
    """Each image's part of `log_loss`, shape `(n,)`."""
    if position is None:
        sums = data.scores.sum(axis=1)
        scores = data.scores[np.arange(len(sums)), data.truth]
        scores = scores / np.where(sums > 0, sums, 1)
    else:
        class_score = data.scores[:, position]
        scores = np.where(data.truth == position, class_score, 1 - class_score)
    return -np.log(np.clip(scores, _TINY, 1 - _TINY))


def weighted_log_loss(data: Predictions, weights: Weights) -> Weights:
    """`log_loss`, shape `(b,)`, for weights of shape `(b, n)`."""
    return weights @ log_losses(data) / weights.sum(axis=1)


def mean_loss(
    losses: NDArray[np.floating], patients: NDArray[np.intp] | None, worst: float
) -> Estimate:
    """Mean of losses that are not negative, with an interval on the logarithmic scale.

    Args:
        losses: Shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        worst: The largest loss of an image: where no image has any, all there is to
            go by; no interval goes beyond.
    """
    n, mean = len(losses), float(losses.mean())
    if mean < 1e-12:
        return Estimate(0.0, 0.0, worst * proportion(losses > 1, patients).high, n)
    variance, quantile = variance_and_quantile((losses - mean) / n, patients)
    factor = math.exp(min(quantile * math.sqrt(variance) / mean, 700.0))
    return Estimate(mean, mean / factor, max(min(mean * factor, worst), mean), n)


def _chance_draws(
    score: NDArray[np.floating],
    right: NDArray[np.bool_],
    number: NDArray[np.intp],
    patients: NDArray[np.intp] | None,
    bins: int,
) -> NDArray[np.float64]:
    """Chance deviations of the bins' gaps, shape `(draws, bins)`; always the same.

    In units of the deviation of independent images.
    """
    draws = np.random.default_rng(0).standard_normal((_DRAWS, bins))
    if patients is None:
        return draws
    n = len(score)
    residual = right - score
    count = np.maximum(np.bincount(number, minlength=bins), 1)
    means = np.bincount(number, weights=residual, minlength=bins) / count
    centred = (residual - means[number]) / n
    sums = np.zeros((int(patients.max()) + 1, bins))
    np.add.at(sums, (patients, number), centred)
    covariance = sums.T @ sums
    plain = np.bincount(number, weights=centred**2, minlength=bins)
    effect = np.maximum(np.diag(covariance) / np.maximum(plain, 1e-300), 1.0)
    root = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    correlation = covariance / np.outer(root, root)
    # A bin with one image, or with images that all miss alike, varies as well.
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    together = draws @ (vectors * np.sqrt(np.maximum(values, 0))).T
    return together * np.sqrt(effect)
