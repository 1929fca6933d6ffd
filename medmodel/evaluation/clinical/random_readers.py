"""Several readers of the same images: their mean accuracy, and against a model.

Readers and images are both drawn from many: an interval that forgets one of them is too
narrow. One treatment, random readers and random cases, after Obuchowski and Rockette
(Communications in Statistics 24 (1995) 285), degrees of freedom by Hillis (Statistics
in Medicine 26 (2007) 596); a model against the mean of readers: Chakraborty, Observer
Performance Methods for Diagnostic Imaging (2017), 22.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.proportions import wilson_at

_NAN = float("nan")


def mean_of_readers(
    correct: NDArray[np.bool_], patients: NDArray[np.intp] | None
) -> Estimate:
    """Mean share of images that readers got right, with its 95 % interval.

    Args:
        correct: Whether each reader was right, shape `(readers, images)`; two readers
            and two images, or patients where they are known, at least: else there is
            no interval.
        patients: Patient number of each image, shape `(images,)`; None if unknown.
    """
    images = correct.shape[1]
    mean, error, freedom = _mean_and_error(correct.astype(np.float64), patients)
    if math.isnan(error):
        return Estimate(mean, _NAN, _NAN, images)
    if error < 1e-12:  # all readers alike on every image
        wilson = wilson_at(min(max(mean, 0.0), 1.0), images)
        return Estimate(mean, wilson.low, wilson.high, images)
    half = error * _quantile(freedom)
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), images)


def readers_against(
    correct: NDArray[np.bool_],
    other: NDArray[np.bool_],
    patients: NDArray[np.intp] | None,
) -> tuple[Estimate, float]:
    """Readers' mean accuracy minus a model's, its interval and two-sided p value.

    Args:
        correct: As in `mean_of_readers`.
        other: Whether the model was right, shape `(images,)`.
        patients: As in `mean_of_readers`.

    Returns:
        Not-a-number as interval and p where every reader differs from the model in the
        same way on every image: that needs no estimate of chance.
    """
    from scipy.special import stdtr

    images = correct.shape[1]
    differences = correct.astype(np.float64) - other
    mean, error, freedom = _mean_and_error(differences, patients)
    if math.isnan(error) or error < 1e-12:
        return Estimate(mean, _NAN, _NAN, images), _NAN
    half = error * _quantile(freedom)
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Estimate(mean, max(-1.0, mean - half), min(1.0, mean + half), images), p


def _mean_and_error(
    figures: NDArray[np.float64], patients: NDArray[np.intp] | None
) -> tuple[float, float, float]:
    """Mean over readers and images, its standard error, degrees of freedom.

    The covariance of readers is the jackknife's over images, or patients. Since it
    rests on so many of them, degrees of freedom are no more than these less one.
    """
    readers, images = figures.shape
    units = np.arange(images) if patients is None else patients
    groups = len(np.unique(units))
    means = figures.mean(axis=1)
    mean = float(means.mean())
    if readers < 2 or groups < 2:
        return mean, _NAN, _NAN
    covariance = np.cov(_jackknifed(figures, units)) * (groups - 1) ** 2 / groups
    between = covariance.sum() - np.trace(covariance)
    shared = max(float(between) / (readers * (readers - 1)), 0.0)
    of_readers = float(means.var(ddof=1))
    total = of_readers + readers * shared
    freedom = float(groups - 1)
    if of_readers > 0:
        freedom = min(freedom, (readers - 1) * (total / of_readers) ** 2)
    return mean, math.sqrt(total / readers), freedom


def _jackknifed(
    figures: NDArray[np.float64], units: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Each reader's mean without each unit, shape `(readers, units)`."""
    membership = (units == np.unique(units)[:, None]).astype(np.float64)
    sums = figures.sum(axis=1, keepdims=True) - figures @ membership.T
    return np.asarray(sums / (figures.shape[1] - membership.sum(axis=1)))


def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))
