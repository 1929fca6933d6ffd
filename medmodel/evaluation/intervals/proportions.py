"""95 % intervals of proportions (Wilson) and of their means (MOVER)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.variance import Z, design_effect


def wilson(successes: int, n: int, design_effect: float = 1.0) -> Estimate:
    """A share with Wilson's score interval.

    Args:
        successes: 0 to `n`.
        n: Number of images; 0 gives an estimate that is not measurable.
        design_effect: How many dependent images count as one independent one, at
            least 1; see `design_effect`.

    Reference: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; that it holds the truth 95
    times of 100 as a mean over shares, and for single ones a little more or less often:
    Brown, Cai and DasGupta, Statistical Science 16 (2001) 101.
    """
    if n == 0:
        return NOT_MEASURABLE
    interval = wilson_at(successes / n, n / design_effect)
    return Estimate(interval.value, interval.low, interval.high, n)


def wilson_at(share: float, n: float) -> Estimate:
    """Wilson's interval of a share that rests on as much as `n` independent images.

    Args:
        share: In [0, 1].
        n: Above 0; need not be whole.
    """
    scale = 1 + Z**2 / n
    centre = (share + Z**2 / (2 * n)) / scale
    half = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2) / scale
    # Rounding must not push the ends beyond what they mathematically are.
    low = 0.0 if share == 0 else centre - half
    high = 1.0 if share == 1 else centre + half
    return Estimate(share, low, high, math.floor(n))


def proportion(
    hits: NDArray[np.bool_],
    patients: NDArray[np.intp] | None,
    among: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Share of images with a property; Wilson's interval, patients kept together.

    Args:
        hits: Whether each image has the property, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        among: The images that count, shape `(n,)`; None for all.
    """
    if among is not None:
        hits = hits[among]
        patients = None if patients is None else patients[among]
    n, right = len(hits), int(hits.sum())
    if n == 0:
        return NOT_MEASURABLE
    return wilson(right, n, design_effect(hits - right / n, patients))


def mean_of_proportions(shares: list[Estimate], n: int) -> Estimate:
    """The plain mean of independent shares, with an interval made from theirs.

    Unlike a bootstrap it does not shrink to a point where every share is 0 or 1. A mean
    of Wilson's intervals of 10 images each holds the truth 93 times of 100, as each is
    short on one side; with Student's quantile in place of the normal one, 95 to 96.

    Reference: MOVER; Zou and Donner, Statistics in Medicine 27 (2008) 1693.
    """
    from scipy.special import stdtrit

    measured = [share for share in shares if share.measurable]
    if not measured:
        return NOT_MEASURABLE
    mean = sum(share.value for share in measured) / len(measured)
    wider = [float(stdtrit(max(s.n - 1, 1), 0.975)) / Z for s in measured]
    pairs = list(zip(measured, wider, strict=True))
    below = math.sqrt(sum((w * (s.value - s.low)) ** 2 for s, w in pairs))
    above = math.sqrt(sum((w * (s.high - s.value)) ** 2 for s, w in pairs))
    # The mean of many is less lopsided than each of them, as any mean is; with their
    # own sides that of 40 shares of 97 % held the truth 88 times of 100.
    even, root = (below + above) / 2, math.sqrt(len(measured))
    below, above = (even + (side - even) / root for side in (below, above))
    below, above = below / len(measured), above / len(measured)
    return Estimate(mean, max(0.0, mean - below), min(1.0, mean + above), n)
