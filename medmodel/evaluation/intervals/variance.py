"""Variance of an estimate from images of patients, and the design effect.

Images of one patient resemble each other, so a patient with ten images tells less than
ten patients with one. Where patients are known every interval widens accordingly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054  # 97.5 % point of the standard normal distribution


def variance_and_freedom(
    influence: NDArray[np.floating], patients: NDArray[np.intp] | None
) -> tuple[float, float]:
    """Variance of an estimate, and on how many degrees of freedom it rests.

    A variance that rests on few patients, or on few images that matter, is itself
    uncertain. The degrees of freedom are those that Satterthwaite (Biometrics Bulletin
    2 (1946) 110) would give a sum of squares with the fourth moment seen here.

    Args:
        influence: What each image adds to the estimate's error, shape `(n,)`; sums
            to 0.
        patients: Patient number of each image, shape `(n,)`; None if unknown.

    Returns:
        Variance, infinite where there is one patient or one image; degrees of
        freedom, at least 1.
    """
    sums: NDArray[np.floating] = influence
    factor = 1.0
    if patients is not None:
        # Numbers without an image are no patients: they were filtered out.
        occurring = np.bincount(patients) > 0
        sums = np.bincount(patients, weights=influence).astype(np.float64)[occurring]
        factor = len(sums) / max(len(sums) - 1, 1)
    if len(sums) < 2:
        return math.inf, 1.0
    squares = sums**2
    total, count = float(squares.sum()), len(sums)
    excess = float(np.sum(squares**2)) - total**2 / max(count, 1)
    freedom = count - 1.0
    if excess > 1e-9 * total**2:
        freedom = min(freedom, 2 * total**2 / excess)
    return factor * total, max(freedom, 1.0)


def variance_and_quantile(
    influence: NDArray[np.floating],
    patients: NDArray[np.intp] | None,
    least: float = 1.0,
) -> tuple[float, float]:
    """Variance of an estimate, and the quantile that turns its root into 95 %.

    The quantile is Student's instead of the normal one, with the degrees of freedom
    of `variance_and_freedom`, `least` at least; takes the same arguments.
    """
    from scipy.special import stdtrit

    variance, freedom = variance_and_freedom(influence, patients)
    return variance, float(stdtrit(max(freedom, least), 0.975))


def design_effect(
    influence: NDArray[np.floating],
    patients: NDArray[np.intp] | None,
    weights: NDArray[np.floating] | None = None,
) -> float:
    """How many images of the same patients tell as much as one independent image.

    Variance with patients kept together ÷ variance as if images were independent,
    enlarged where it rests on few patients (see `variance_and_quantile`), but not
    beyond what copies of one image would give: who has one image only is independent
    of all others.

    Args:
        influence: What each image adds to the estimate's error, shape `(n,)`; sums
            to 0.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        weights: What each image counts in the estimate, shape `(n,)`; all alike by
            default.

    Returns:
        At least 1. Where all images agree, so that nothing can be estimated, and
        where there is one patient only, the images of a patient count as copies of
        one.

    Reference: Kish, Survey Sampling (1965), 8.2; Rao and Scott, Biometrics 48 (1992);
    few patients: Korn and Graubard, Survey Methodology 24 (1998) 193.
    """
    if patients is None or len(influence) == 0:
        return 1.0
    if weights is None:
        weights = np.ones(len(influence))
    sizes = np.bincount(patients, weights=weights)
    copies = float(np.sum(sizes**2) / np.sum(weights**2))
    independent = float(np.sum(influence**2))
    variance, quantile = variance_and_quantile(influence, patients)
    if independent < 1e-15 or math.isinf(variance):
        return copies
    seen = max(1.0, variance / independent)
    return max(seen, min(seen * (quantile / Z) ** 2, copies))
