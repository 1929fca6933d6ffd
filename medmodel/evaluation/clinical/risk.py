"""Risk of one class for one image: from its score, at the clinic's prevalence.

Scores are recalibrated on validation images by a logistic regression that may bend,
and moved to another prevalence by Bayes' rule. The interval holds the sampling of the
validation images; that the images of the clinic are like these is taken for granted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.logistic_spline import (
    LogisticSpline,
    fit_logistic_spline,
)
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import LimitingGroup, Members
from medmodel.evaluation.metrics.metric_table import group_of_class
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _

_STEPS = 50
_STEEPEST = 20.0
"""Slope from which on classes are parted, and no risk between can be known."""


@dataclass(frozen=True)
class RiskModel:
    """Logistic recalibration of one class's scores along a smooth curve.

    A straight line in log-odds alone holds the truth 40 to 60 times of 100 where it is
    not one and images are many.

    Args:
        name: The class.
        curve: Log-odds of the class over log-odds of the score.
        images: Validation images.
        units: The smaller group of them: with the class, or without.
        prevalence: Share of the validation images with the class.
        lowest: Lowest log-odds among the validation images.
        highest: The highest.

    Reference: Van Calster et al., BMC Medicine 17 (2019) 230; other prevalences:
    Saerens, Latinne and Decaestecker, Neural Computation 14 (2002) 21.
    """

    name: str
    curve: LogisticSpline
    images: int
    units: LimitingGroup
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
        share = self.curve.share(place)
        factor = self._odds_ratio(prevalence)
        value, low, high = (
            factor * risk / (1 - risk + factor * risk)
            for risk in (share.mean, *share.interval())
        )
        estimate = Estimate(value, low, high, self.images)
        return where_enough(estimate, "risk", self.units)

    def is_beyond(self, score: float) -> bool:
        """Whether no validation image has a score so low, or so high."""
        return not self.lowest <= _log_odds(score) <= self.highest

    def _odds_ratio(self, prevalence: float | None) -> float:
        """Odds at another prevalence over those of the validation images."""
        if prevalence is None:
            return 1.0
        if not 0 < prevalence < 1:
            raise DataError(
                _("The prevalence must lie between 0 and 1, both excluded.")
            )
        here = self.prevalence
        return prevalence * (1 - here) / ((1 - prevalence) * here)


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
    line, information = _fit_line(places, positive)
    if line is None:
        raise DataError(
            _(
                "The risk cannot be known: scores part the validation images that are "
                "{name} from the others, so none tells how often scores between are "
                "right.",
                name=name,
            )
        )
    effect = 1.0
    if data.patients is not None:
        effect = _effect(places, positive, data.patients, line, information)
    sides: tuple[Members, Members] = ("class", "rest")
    groups = [group_of_class(data, position, side) for side in sides]
    return RiskModel(
        name=name,
        curve=fit_logistic_spline(places, positive, line, effect),
        images=len(places),
        units=min(groups, key=lambda group: group.count),
        prevalence=float(positive.mean()),
        lowest=float(places.min()),
        highest=float(places.max()),
    )


def _effect(
    places: NDArray[np.float64],
    positive: NDArray[np.bool_],
    patients: NDArray[np.intp],
    line: NDArray[np.float64],
    information: NDArray[np.float64],
) -> float:
    """How many images of the same patients tell as much as one independent image.

    Reference: Rao and Scott, Annals of Statistics 12 (1984) 46, first order.
    """
    design = np.stack([np.ones_like(places), places], axis=1)
    errors = positive - 1 / (1 + np.exp(-np.clip(design @ line, -700, 700)))
    sums = np.stack(
        [np.bincount(patients, weights=errors * column) for column in design.T]
    )
    ratio = np.linalg.solve(information, sums @ sums.T)
    return max(float(np.trace(ratio)) / 2, 1.0)


def _fit_line(
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
