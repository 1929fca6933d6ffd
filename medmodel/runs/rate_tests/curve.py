"""Loss against learning rate, as a rate test measures it, and the rate it suggests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEPS = 100
RATES: list[float] = np.geomspace(1e-6, 1.0, STEPS).tolist()
"""Learning rate of each step."""
FEWEST = 10
"""Losses below which nothing is suggested."""
LEAST_FALL = 0.02
"""Share of the first loss by which it must fall: less is chance."""
_SMOOTHING = 0.9


@dataclass(frozen=True)
class RateTest:
    """What rates.json holds.

    Args:
        rates: Learning rate of each step.
        losses: Training loss of each step, before it.
        suggested: The rate that is suggested; None where the loss did not fall.
    """

    rates: list[float]
    losses: list[float]
    suggested: float | None = None


def smoothed(losses: Sequence[float]) -> list[float]:
    """Moving averages of the losses, those of the first steps without bias."""
    averages, average = [], 0.0
    for step, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        averages.append(average / (1 - _SMOOTHING**step))
    return averages


def suggested_rate(losses: Sequence[float]) -> float | None:
    """The rate at which the smoothed loss falls most steeply.

    Steepness is that against the logarithm of the rate, before the lowest loss.

    Args:
        losses: Of the steps with `RATES`, in their order.

    Returns:
        None where there are too few, or the loss does not fall.
    """
    if len(losses) < FEWEST:
        return None
    curve = np.asarray(smoothed(losses))
    lowest = int(curve.argmin())
    fall = curve[: lowest + 1].max() - curve[lowest]
    if lowest < 2 or fall < LEAST_FALL * curve[0]:
        return None
    slopes = np.gradient(curve)[: lowest + 1]
    steepest = int(slopes.argmin())
    return RATES[steepest] if slopes[steepest] < 0 else None
