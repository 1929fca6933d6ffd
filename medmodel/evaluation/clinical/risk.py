"""Risk of one class for one image: from its score, at the clinic's prevalence.

Scores are recalibrated by a logistic regression on validation images, and moved to
another prevalence by Bayes' rule. The interval holds the sampling of the validation
images; that the images of the clinic are like these is taken for granted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals import (
    Estimate,
    LimitingGroup,
    count_units,
    variance_and_quantile,
    where_enough,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _

_STEPS = 50
_STEEPEST = 20.0
"""Slope from which on classes are parted, and no risk between can be known."""


@dataclass(frozen=True)
class RiskModel:
    """Logistic recalibration of one class's scores.

    Args:
        name: The class.
        intercept: Of the regression on log-odds of the score.
        slope: Likewise; 1 where scores are as sure as they are right.
        influence: What each validation image adds to the errors of both, shape
            `(n, 2)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        units: Patients, or images where these are unknown, of the smaller group: with
            the class, or without.
        prevalence: Share of the validation images with the class.
        lowest: Lowest log-odds among the validation images.
        highest: The highest.

    Reference: Cox, Biometrika 45 (1958) 562; Van Calster et al., BMC Medicine 17
    (2019) 230; other prevalences: Saerens, Latinne and Decaestecker, Neural Computation
    14 (2002) 21.
    """

    name: str
    intercept: float
    slope: float
    influence: NDArray[np.float64]
    patients: NDArray[np.intp] | None
    units: int
    prevalence: float
    lowest: float
    highest: float

    def risk(self, score: float, prevalence: float | None = None) -> Estimate:
        """Of images with this score, the share that has the class.

        Args:
            score: The model's probability before calibration, in [0, 1]; beyond those
                of the validation images it counts as the nearest of them.
            prevalence: Share of the clinic's images with the class, in (0, 1); None
                for that of the validation images.

        Returns:
            With its 95 % interval where enough validation images have the class, and
            have it not; `n` counts them all.

        Raises:
            DataError: The prevalence lies outside (0, 1).
        """
        place = min(max(_log_odds(score), self.lowest), self.highest)
        variance, quantile = variance_and_quantile(
            self.influence @ np.array([1.0, place]), self.patients
        )
        half = min(quantile * math.sqrt(variance), 700.0)
        middle = self.intercept + self.slope * place + self._shift(prevalence)
        value, low, high = (_logistic(middle + by) for by in (0.0, -half, half))
        estimate = Estimate(value, low, high, len(self.influence))
        group = LimitingGroup(self.units, self.patients is not None)
        return where_enough(estimate, "risk", group)

    def is_beyond(self, score: float) -> bool:
        """Whether no validation image has a score so low, or so high."""
        return not self.lowest <= _log_odds(score) <= self.highest

    def _shift(self, prevalence: float | None) -> float:
        if prevalence is None:
            return 0.0
        if not 0 < prevalence < 1:
            raise DataError(
                _("The prevalence must lie between 0 and 1, both excluded.")
            )
        return _log_odds(prevalence) - _log_odds(self.prevalence)


def fit_risk(data: Predictions, position: int) -> RiskModel:
    """The recalibration of one class.

    Args:
        data: The validation split, scores as the model gives them.
        position: Of the class.

    Raises:
        DataError: No image has the class, or every image, or scores part those with it
            from those without, so that nothing is known of scores between.
    """
    name = data.classes[position]
    positive = data.truth == position
    if positive.all() or not positive.any():
        raise DataError(
            _(
                "The risk cannot be known: of the validation images all or none are "
                "{name}.",
                name=name,
            )
        )
    places = np.array([_log_odds(score) for score in data.scores[:, position]])
    coefficients, information = _fit(places, positive)
    if coefficients is None:
        raise DataError(
            _(
                "The risk cannot be known: scores part the validation images that are "
                "{name} from the others, so none tells how often scores between are "
                "right.",
                name=name,
            )
        )
    design = np.stack([np.ones_like(places), places], axis=1)
    expected = 1 / (1 + np.exp(-(design @ coefficients)))
    influence = ((positive - expected)[:, None] * design) @ np.linalg.inv(information)
    groups = (positive, ~positive)
    return RiskModel(
        name=name,
        intercept=float(coefficients[0]),
        slope=float(coefficients[1]),
        influence=influence,
        patients=data.patients,
        units=min(count_units(group, data.patients) for group in groups),
        prevalence=float(positive.mean()),
        lowest=float(places.min()),
        highest=float(places.max()),
    )


def _fit(
    places: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Maximum likelihood by Newton's steps; None where there is no maximum."""
    design = np.stack([np.ones_like(places), places], axis=1)
    coefficients = np.array([_log_odds(float(positive.mean())), 0.0])
    information = np.eye(2)
    if np.ptp(places) < 1e-9:
        return None, information
    for _step in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(design @ coefficients, -700, 700)))
        weights = np.maximum(expected * (1 - expected), 1e-12)
        information = (design * weights[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (positive - expected))
        # Half a step where the whole would leave the region that is nearly straight.
        coefficients = coefficients + step * min(
            1.0, 2.0 / max(np.abs(step).max(), 1e-12)
        )
        if abs(coefficients[1]) > _STEEPEST:
            return None, information
        if np.abs(step).max() < 1e-9:
            return coefficients, information
    return None, information


def _log_odds(score: float) -> float:
    """Bounded: float32 tells no more from 0 and 1."""
    bounded = min(max(score, 1e-7), 1 - 1e-7)
    return math.log(bounded / (1 - bounded))


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -700.0), 700.0)))
