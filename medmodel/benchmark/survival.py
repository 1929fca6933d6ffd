"""Row on survival: intervals of concordance and calibration on a drawn hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.evaluation.survival.cohort import Patients
from medmodel.evaluation.survival.cox import fit_cox
from medmodel.evaluation.survival.performance import calibration_at, concordance

DRAWS, DEVELOPMENT, TEST, POPULATION = 100, 300, 200, 2500
FEATURES, SLOPES = 60, (0.9, -0.6)
HAZARD, LONGEST, AT = 0.1, 20.0, 5.0
"""Of the mean patient per unit of time; last time of censoring; time of calibration."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Patients whose hazard is known.

    Args:
        patients: As a run's would be.
        risk: True logarithm of each one's hazard ratio.
    """

    patients: Patients
    risk: Floats


def survival() -> list[Measurement]:
    """Share of drawn cohorts whose 95 % interval holds the truth, and the risk's error.

    Hazards follow two of the directions in which features vary most; the model knows
    the features alone. The truth of a fitted model is measured on many more patients.
    """
    rng = np.random.default_rng(0)
    mixing = np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))[0]
    strengths, ratios, errors, values, oracle = [], [], [], [], []
    population = draw_patients(POPULATION, mixing, rng)
    everybody = population.patients
    best = concordance(population.risk, everybody.time, everybody.event).value
    true_risk = -np.expm1(-HAZARD * AT * np.exp(population.risk))
    for _draw in range(DRAWS):
        known = draw_patients(DEVELOPMENT, mixing, rng).patients
        tested = draw_patients(TEST, mixing, rng).patients
        model = fit_cox(known.numbers, known.time, known.event)
        measured = concordance(model.risk(tested.numbers), tested.time, tested.event)
        risk = model.risk(everybody.numbers)
        truth = concordance(risk, everybody.time, everybody.event).value
        strengths.append(measured.low <= truth <= measured.high)
        values.append(measured.value)
        oracle.append(truth)
        predicted = model.probability(everybody.numbers, AT)
        ratio = calibration_at(
            model.probability(tested.numbers, AT), tested.time, tested.event, AT
        ).ratio
        ratios.append(ratio[1] <= true_risk.mean() / predicted.mean() <= ratio[2])
        errors.append(float(np.abs(predicted - true_risk).mean()))
    note = (
        f"mean {np.mean(values):.3f} (truth {np.mean(oracle):.3f}, of the drawn hazard "
        f"itself {best:.3f}), {DRAWS} cohorts of {DEVELOPMENT} + {TEST} patients"
    )
    return [
        at_least("survival", float(np.mean(strengths)), 0.92, "of cohorts", note),
        at_least(
            "survival_calibration",
            float(np.mean(ratios)),
            0.92,
            "of cohorts",
            f"observed ÷ predicted risk at {AT:g}",
        ),
        at_most(
            "survival_risk",
            float(np.mean(errors)),
            0.06,
            "of 1",
            "mean distance of a patient's predicted risk from the drawn one",
        ),
    ]


def draw_patients(count: int, mixing: Floats, rng: np.random.Generator) -> Drawn:
    """Patients with features, a known hazard and censoring.

    Args:
        count: How many.
        mixing: Orthogonal, (`FEATURES`, `FEATURES`).
        rng: Source of chance.
    """
    spreads = np.concatenate([[4.0, 3.0], np.geomspace(1.5, 0.1, FEATURES - 2)])
    hidden = rng.normal(size=(count, FEATURES))
    risk = hidden[:, :2] @ np.array(SLOPES)
    event_time = rng.exponential(1 / (HAZARD * np.exp(risk)))
    censoring = rng.uniform(0, LONGEST, count)
    time = np.minimum(event_time, censoring)
    patients = Patients((hidden * spreads) @ mixing, time, event_time <= censoring)
    return Drawn(patients, risk)
