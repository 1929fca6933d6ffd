"""Temperature scaling: one number, fitted on validation images, calibrates the scores.

It is stored beside the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError, value_or_problem
from medmodel.core.storage import damaged, newer, read_as, set_aside, write_json
from medmodel.evaluation.intervals.minima import LimitingGroup, enough, too_few
from medmodel.evaluation.intervals.variance import variance_and_quantile
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _
from medmodel.runs.run import Run

_SMALLEST_SCORE = 1e-7  # what float32 can still tell from 0 and 1
_COOLEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Temperature:
    """One number that makes scores as sure as they are right.

    Args:
        value: Scores become softmax(log(score) / value): above 1 less sure, below 1
            surer.
        low: Lower end of its 95 % interval.
        high: Upper end.
        images: Validation images on which it was fitted.
        bounded: Whether the best value lies beyond what is allowed (0.05 to 20), as
            where every validation image is right, or any value is as good.
        patients: Their patients; 0 where these are unknown, or were not written.
    """

    value: float
    low: float
    high: float
    images: int
    bounded: bool
    patients: int = 0

    @property
    def interval(self) -> str:
        """Its interval as people read it: `(1.20–1.61)`, or `too few (12 images)`."""
        if not self.has_interval:
            return too_few(self._units)
        return f"({self.low:.2f}–{self.high:.2f})"

    @property
    def has_interval(self) -> bool:
        """Whether validation images, or their patients, are enough for an interval."""
        return enough("temperature", self._units)

    @property
    def _units(self) -> LimitingGroup:
        return LimitingGroup(self.patients or self.images, self.patients > 0)

    def __str__(self) -> str:
        """As people read it: `1.39 (1.20–1.61)`, or `1.39, too few (12 images)`."""
        between = " " if self.has_interval else _(", ")
        return f"{self.value:.2f}{between}{self.interval}"

    @property
    def changes_scores(self) -> bool:
        """Whether its interval is known, and does not hold 1, which changes nothing."""
        return self.has_interval and not self.low <= 1 <= self.high

    @property
    def why_unknown(self) -> str:
        """Why it cannot be known, as a sentence; empty where it is."""
        if not self.bounded:
            return ""
        if self.value == 1:
            return _("Every score is the same: there is no temperature to find.")
        if self.value < 1:
            return _(
                "The temperature cannot be known: so few of the validation images "
                "are wrong, if any, that scores could not be sure enough."
            )
        return _(
            "No temperature helps: on the validation images the scores say "
            "less than guessing does."
        )


def fit_temperature(data: Predictions) -> Temperature:
    """The temperature with the smallest log loss.

    Args:
        data: The validation split; scores of an image sum to 1.

    Raises:
        DataError: The scores are no probabilities.

    Reference: Guo et al., ICML 2017.
    """
    from scipy.optimize import brentq

    logits = _logits(data.scores)
    n, rows = len(data.truth), np.arange(len(data.truth))

    def slopes(inverse: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First and second derivative of each image's log loss by 1/temperature."""
        chances = _softmax(inverse * logits)
        mean = np.sum(chances * logits, axis=1)
        bend = np.sum(chances * logits**2, axis=1) - mean**2
        return mean - logits[rows, data.truth], bend

    def slope(inverse: float) -> float:
        return float(slopes(inverse)[0].mean())

    if np.ptp(logits, axis=1).max() < 1e-9:
        return Temperature(1.0, _COOLEST, _HOTTEST, n, True)
    # The loss is convex in 1/temperature, so its slope has at most one root.
    sure, unsure = 1 / _COOLEST, 1 / _HOTTEST
    if slope(sure) <= 0:
        return Temperature(_COOLEST, _COOLEST, _HOTTEST, n, True)
    if slope(unsure) >= 0:
        return Temperature(_HOTTEST, _COOLEST, _HOTTEST, n, True)
    best = float(brentq(slope, unsure, sure, xtol=1e-9))
    first, second = slopes(best)
    variance, quantile = variance_and_quantile(-first / second.sum(), data.patients)
    half = min(quantile * math.sqrt(variance) / best, 700.0)
    value = 1 / best
    low = max(value * math.exp(-half), _COOLEST)
    high = min(value * math.exp(half), _HOTTEST)
    return Temperature(value, low, high, n, False, data.patient_count)


def apply_temperature(
    scores: NDArray[np.floating], temperature: float
) -> NDArray[np.float64]:
    """Scores made less sure (above 1) or surer (below 1); the order stays.

    Args:
        scores: Probabilities, shape `(n, classes)`.
        temperature: Above 0.

    Raises:
        DataError: The scores are no probabilities.
    """
    if temperature == 1:
        return np.asarray(scores, np.float64)
    return _softmax(_logits(scores) / temperature)


def calibrate(data: Predictions, temperature: float) -> Predictions:
    """The same split with its scores changed by `apply_temperature`."""
    scores = apply_temperature(data.scores, temperature)
    # A temperature keeps the order: what was predicted stays predicted.
    return replace(data, scores=scores)


def store_temperature(run: Run, temperature: Temperature) -> None:
    """Writes the run's calibration.json, which Diagnose reads.

    One that is damaged is set aside, for somebody who may mend it.
    """
    path = run.folder / "calibration.json"
    if value_or_problem(stored_temperature, run)[1]:
        set_aside(path)
    write_json(path, temperature)


def stored_temperature(run: Run) -> Temperature | None:
    """What `store_temperature` wrote; None if the run's model is not calibrated.

    Raises:
        FileError: calibration.json is damaged.
    """
    path = run.folder / "calibration.json"
    # A run that was resumed has another model than the one that was calibrated.
    if not path.exists() or newer(run.model_path, path):
        return None
    temperature = read_as(path, Temperature)
    if temperature is not None:
        ends = (temperature.low, temperature.value, temperature.high)
        if not all(0 < end < math.inf for end in ends):
            raise damaged(path, _("a temperature is above 0"))
    return temperature


def _logits(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    sums = scores.sum(axis=1)
    if (scores < 0).any() or np.abs(sums - 1).max(initial=0) > 0.01:
        raise DataError(
            _(
                "The scores of an image do not sum to 1: such a model has no "
                "temperature."
            )
        )
    return np.log(np.maximum(np.asarray(scores, np.float64), _SMALLEST_SCORE))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
