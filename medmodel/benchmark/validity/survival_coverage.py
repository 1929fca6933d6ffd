"""How often intervals of survival hold the truth, from ten patients on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark.validity.simulation import Asked
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.survival.performance import concordance, kaplan_meier

PATIENTS = (10, 20, 30, 50, 100, 200)
POPULATIONS = list(itertools.product((0.3, 0.8, 1.5), (5.0, 20.0, 60.0)))
"""What a standard deviation of the risk adds to the log hazard; longest follow-up."""
_TRUTH = 4000
_HAZARD = 0.1
Floats = NDArray[np.float64]


def asked_survival(
    population: tuple[float, float], simulations: int, seed: int
) -> Iterator[Asked]:
    """Concordance, and the risk by a time, of every drawn cohort.

    Args:
        population: One of `POPULATIONS`.
        simulations: Cohorts of each number of patients.
        seed: The same seed draws the same cohorts.
    """
    slope, longest = population
    rng = np.random.default_rng(seed)
    truth = concordance(*_draw(_TRUTH, slope, longest, rng)).value
    at = 0.3 * longest
    hazards = _HAZARD * np.exp(slope * rng.normal(size=100_000))
    risk = float(-np.expm1(-at * hazards).mean())
    for patients in PATIENTS:
        for _ in range(simulations):
            ranks, time, event = _draw(patients, slope, longest, rng)
            c = concordance(ranks, time, event)
            strength = Estimate(c.value, c.low, c.high, patients)
            value, low, high = kaplan_meier(time, event).risk_at(at)
            observed = Estimate(value, low, high, patients)
            least = PATIENTS[0]
            yield Asked("concordance", patients, True, least, strength, truth)
            yield Asked("observed risk", patients, True, least, observed, risk)


def _draw(
    patients: int, slope: float, longest: float, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Log hazard ratio, time and whether the event was seen then, (n,) each."""
    risk = slope * rng.normal(size=patients)
    event = rng.exponential(1 / (_HAZARD * np.exp(risk)))
    end = rng.uniform(0, longest, patients)
    return risk, np.maximum(np.minimum(event, end), 1e-9), event <= end
