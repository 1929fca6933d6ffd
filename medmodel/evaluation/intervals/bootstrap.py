"""Bootstrap resampling of patients: weights of images, percentile intervals, p values.

A resampled table is a weight per image (how often it was drawn), so that a thousand
tables are one array and every metric a few sums over it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.predictions import Predictions, Weights

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


def bootstrap_distribution(
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
    differences = [measure(draw_weights(data, part, rng)) for part in parts]
    return np.concatenate(differences)


def percentile_interval(
    differences: NDArray[np.float64], units: int
) -> tuple[float, float, float]:
    """Percentile interval of bootstrapped differences and their two-sided p value.

    Percentiles are too narrow for small samples, by sqrt((n - 1) / n) and by the
    normal in place of Student's t: both are made good.

    Args:
        differences: Resampled differences, shape `(draws,)`.
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
    low, high = (float(x) for x in np.quantile(differences, [tail, 1 - tail]))
    beyond = min(int(np.sum(differences <= 0)), int(np.sum(differences >= 0)))
    share = (beyond + 1) / (len(differences) + 1)
    if share >= 0.5:
        return low, high, 1.0
    return low, high, 2 * float(stdtr(units - 1, ndtri(share) / factor))


def smallest_group(metric: str, models: Sequence[Predictions]) -> int:
    """Patients (images, where unknown) of the rarest class, which limit a metric.

    A predictive value rests on the images that were called, so that the class which
    any model calls least counts there, too.

    Args:
        metric: Key of `metric_table.METRICS`.
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
