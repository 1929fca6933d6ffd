"""The bootstrap: patients drawn again, and every metric under such weights.

A resampled table is a weight per image (how often it was drawn), so that a thousand
tables are one array and every metric a few sums over it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration import (
    BINS,
    bin_numbers,
    brier_losses,
    certainty,
    log_losses,
)
from medmodel.evaluation.predictions import Predictions

Weights = NDArray[np.float64]
Weighted = Callable[[Predictions, Weights], NDArray[np.float64]]
_BLOCK = 2_000_000  # weights that are in memory at a time


def draw_weights(data: Predictions, draws: int, rng: np.random.Generator) -> Weights:
    """How often each image occurs in each resampled split, shape `(draws, n)`.

    Patients are drawn with all their images, images where patients are unknown;
    within each class (a patient's is that of the first image), so that none vanishes.

    Reference: Davison and Hinkley, Bootstrap Methods and their Application (1997), 3.
    """
    n = len(data.truth)
    unit = np.arange(n) if data.patients is None else data.patients
    _, first, number = np.unique(unit, return_index=True, return_inverse=True)
    kinds = data.truth[first]
    weights = np.zeros((draws, len(first)))
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        size = len(members)
        drawn = rng.integers(size, size=(draws, size))
        drawn += np.arange(draws)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=draws * size)
        weights[:, members] = counts.reshape(draws, size)
    return weights if data.patients is None else weights[:, number]


def resampled(
    data: Predictions,
    measure: Callable[[Weights], NDArray[np.float64]],
    draws: int = 2000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """A quantity in each of many resampled splits, shape `(draws,)`.

    Args:
        data: The split.
        measure: Weights of shape `(b, n)` -> values of shape `(b,)`.
        draws: How many.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK // len(data.truth))
    parts = [min(size, draws - at) for at in range(0, draws, size)]
    found = [measure(draw_weights(data, part, rng)) for part in parts]
    return np.concatenate(found)


def percentiles(found: NDArray[np.float64], units: int) -> tuple[float, float, float]:
    """Percentile interval of bootstrapped differences and their two-sided p value.

    Percentiles are too narrow for small samples, by sqrt((n - 1) / n) and by the
    normal in place of Student's t: both are made good.

    Args:
        found: Resampled differences, shape `(draws,)`.
        units: As from `smallest_group`.

    Returns:
        Lower end, upper end, p value.

    Reference: Hesterberg, The American Statistician 69 (2015) 371, expanded
    percentile interval.
    """
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    units = max(units, 2)
    factor = math.sqrt(units / (units - 1))
    tail = float(ndtr(-factor * stdtrit(units - 1, 0.975)))
    low, high = (float(x) for x in np.quantile(found, [tail, 1 - tail]))
    beyond = min(int(np.sum(found <= 0)), int(np.sum(found >= 0)))
    share = (beyond + 1) / (len(found) + 1)
    if share >= 0.5:
        return low, high, 1.0
    return low, high, 2 * float(stdtr(units - 1, ndtri(share) / factor))


def smallest_group(metric: str, models: Sequence[Predictions]) -> int:
    """Patients (images, where unknown) of the rarest class, which limit a metric.

    A predictive value rests on the images that were called, so that the class which
    any model calls least counts there, too.

    Args:
        metric: Key of `WEIGHTED`.
        models: Predictions of the same images.
    """
    groups = [models[0].truth]
    if metric in ("ppv", "npv"):
        groups += [model.predicted for model in models]
    units = models[0].patients
    if units is None:
        units = np.arange(len(models[0].truth))
    pairs = [np.unique(np.stack([group, units]), axis=1)[0] for group in groups]
    counts = np.concatenate([np.bincount(group) for group in pairs])
    return int(counts[counts > 0].min())


def _accuracy(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    return weights @ (data.predicted == data.truth) / weights.sum(axis=1)


def _balanced_accuracy(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, labels, _ = _counts(data, weights)
    return _mean_ratio(hits, labels)


def _ppv(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, _, choices = _counts(data, weights)
    return _mean_ratio(hits, choices)


def _specificity(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, labels, choices = _counts(data, weights)
    others = weights.sum(axis=1, keepdims=True) - labels
    return _mean_ratio(others - choices + hits, others)


def _npv(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, labels, choices = _counts(data, weights)
    total = weights.sum(axis=1, keepdims=True)
    return _mean_ratio(total - labels - choices + hits, total - choices)


def _f1(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, labels, choices = _counts(data, weights)
    return _mean_ratio(2 * hits, labels + choices)


def _matthews(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    hits, labels, choices = _counts(data, weights)
    total = weights.sum(axis=1)
    above = total * hits.sum(axis=1) - np.sum(labels * choices, axis=1)
    below = (total**2 - np.sum(labels**2, axis=1)) * (
        total**2 - np.sum(choices**2, axis=1)
    )
    with np.errstate(invalid="ignore"):
        return above / np.sqrt(below)


def _auc(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    return _mean_of_classes(data, weights, weighted_area)


def _average_precision(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    return _mean_of_classes(data, weights, weighted_precision)


def _brier(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    return weights @ brier_losses(data) / weights.sum(axis=1)


def _log_loss(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    return weights @ log_losses(data) / weights.sum(axis=1)


def _calibration_error(data: Predictions, weights: Weights) -> NDArray[np.float64]:
    score, right = certainty(data)
    inside = bin_numbers(score)[:, None] == np.arange(BINS)
    gaps = weights @ (inside * (right - score)[:, None])
    return np.abs(gaps).sum(axis=1) / weights.sum(axis=1)


# The metrics of `metrics.overall_metrics`, each for many resampled splits at once.
WEIGHTED: dict[str, Weighted] = {
    "accuracy": _accuracy,
    "sensitivity": _balanced_accuracy,
    "specificity": _specificity,
    "ppv": _ppv,
    "npv": _npv,
    "f1": _f1,
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _matthews,
    "auc": _auc,
    "average_precision": _average_precision,
    "brier": _brier,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
}


def weighted_area(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Areas under the ROC curve, shape `(b,)`; ties count half."""
    inside, outside = _by_level(positive, scores, weights)
    below = np.cumsum(outside, axis=1) - outside / 2
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.sum(inside * below, axis=1) / pairs


def weighted_precision(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Average precisions, shape `(b,)`; equal scores are called together."""
    inside, outside = _by_level(positive, scores, weights)
    right = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1]
    called = right + np.cumsum(outside[:, ::-1], axis=1)[:, ::-1]
    precision = right / np.maximum(called, 1e-300)
    with np.errstate(invalid="ignore"):
        return np.sum(inside * precision, axis=1) / inside.sum(axis=1)


def _by_level(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> tuple[Weights, Weights]:
    """Weight at each distinct score, ascending, in the class and outside it."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    ordered = weights[:, order]
    inside = np.add.reduceat(ordered * positive[order], starts, axis=1)
    return inside, np.add.reduceat(ordered, starts, axis=1) - inside


def _mean_of_classes(
    data: Predictions,
    weights: Weights,
    measure: Callable[
        [NDArray[np.bool_], NDArray[np.float64], Weights], NDArray[np.float64]
    ],
) -> NDArray[np.float64]:
    found = []
    for position in range(len(data.classes)):
        positive = data.truth == position
        if positive.any() and not positive.all():
            found.append(measure(positive, data.scores[:, position], weights))
    return np.mean(found, axis=0) if found else np.full(len(weights), np.nan)


def _counts(data: Predictions, weights: Weights) -> tuple[Weights, Weights, Weights]:
    """Weight of hits, labels and choices of each class, each `(b, classes)`."""
    labels = data.truth[:, None] == np.arange(len(data.classes))
    choices = data.predicted[:, None] == np.arange(len(data.classes))
    hits = labels & choices
    return tuple(weights @ part.astype(float) for part in (hits, labels, choices))  # type: ignore[return-value]


def _mean_ratio(above: Weights, below: Weights) -> NDArray[np.float64]:
    """Mean over the classes where there is anything to divide by."""
    known = below > 0
    ratios = np.divide(above, below, out=np.zeros_like(above), where=known)
    with np.errstate(invalid="ignore"):
        return ratios.sum(axis=1) / known.sum(axis=1)
