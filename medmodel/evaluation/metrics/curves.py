"""Curves of a class: ROC, precision–recall and decision curves, score histograms.

Every curve has a bounded number of points however many images there are, so that it
travels to the browser in an instant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.calibration.calibration_metrics import bin_numbers
from medmodel.evaluation.intervals.minima import LimitingGroup, Members, enough
from medmodel.evaluation.intervals.proportions import proportion, wilson_at
from medmodel.evaluation.intervals.variance import (
    Z,
    design_effect,
    variance_and_quantile,
)
from medmodel.evaluation.metrics.metric_table import group_of_class
from medmodel.evaluation.metrics.ranking_metrics import STEADY_PATIENTS, midranks
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _

POINTS = 200
_GRID = np.linspace(0, 1, 51)
_NOWHERE = np.empty(0)


@dataclass(frozen=True)
class ThresholdCurve:
    """A curve through every threshold, thinned, and a band around it.

    Args:
        x: 1 - specificity (ROC) or recall (precision–recall), ascending or
            descending, shape `(m,)`, m at most `POINTS` + 2.
        y: Sensitivity (ROC) or precision (precision–recall), shape `(m,)`.
        thresholds: Score from which the class is called at each point, shape `(m,)`.
        band_x: Where the band is given, shape `(b,)`.
        low: Lower ends of pointwise 95 % intervals of y at `band_x`.
        high: Upper ends.
        too_few: The class or the rest, whichever is smaller, if too small for a
            band, whose arrays are then empty.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    band_x: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    too_few: LimitingGroup | None = None


@dataclass(frozen=True)
class Histogram:
    """Distribution of a class's scores, for its images and for the others.

    Args:
        edges: Edges of equally wide bins, shape `(bins + 1,)`.
        inside: Images of the class in each bin, shape `(bins,)`.
        outside: Other images in each bin, shape `(bins,)`.
    """

    edges: NDArray[np.float64]
    inside: NDArray[np.int64]
    outside: NDArray[np.int64]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit of acting on the score, against acting on all or on nobody.

    Args:
        thresholds: Probabilities from which one would act, shape `(m,)`.
        model: Net benefit of the model, true positives per patient, shape `(m,)`.
        low: Lower ends of its pointwise 95 % intervals.
        high: Upper ends.
        treat_all: Net benefit of treating all; of treating none it is 0.
        too_few: The class or the rest, whichever is smaller, if too small for
            intervals, whose ends are then not-a-number.
    """

    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    treat_all: NDArray[np.float64]
    too_few: LimitingGroup | None = None


def roc_curve(data: Predictions, position: int) -> ThresholdCurve:
    """Sensitivity over 1 - specificity of one class against the rest.

    The band says how well the sensitivity is known at each specificity: the variance
    that the class's images give it, and that the others give it where the curve is
    steep, patients kept together, in Wilson's interval. It does not shrink to a line
    for a perfect model.

    Raises:
        DataError: The class, or everything else, is absent.

    Reference: the variance of one point: Hsieh and Turnbull, Annals of Statistics 24
    (1996) 25; its effective number of images: Korn and Graubard, Survey Methodology 24
    (1998) 193.
    """
    positive, ranked = _one_against_rest(data, position)
    _, hits, alarms = _rates(positive, ranked)
    cuts = _thresholds(data.scores[:, position], ranked)
    corners = _thinned(alarms + hits)
    curve = alarms[corners], hits[corners], cuts[corners]
    few = _too_few("roc_band", data, position)
    if few is not None:
        return ThresholdCurve(*curve, _NOWHERE, _NOWHERE, _NOWHERE, few)
    low, high = _band(positive, ranked, data.patients, _GRID)
    return ThresholdCurve(*curve, _GRID, low, high)


def precision_recall_curve(data: Predictions, position: int) -> ThresholdCurve:
    """Precision over recall of one class, at the split's prevalence.

    The band is the ROC curve's, turned round: how well 1 - specificity is known at
    each sensitivity, and the precision that follows.

    Raises:
        DataError: The class, or everything else, is absent.
    """
    positive, ranked = _one_against_rest(data, position)
    _, hits, alarms = _rates(positive, ranked)
    cuts = _thresholds(data.scores[:, position], ranked)
    odds = float(positive.sum() / (~positive).sum())
    # The first point calls nothing and has no precision; the next one always stays.
    corners = np.union1d(_thinned(alarms + hits)[1:], [1])
    precision = _precision(hits, alarms, odds)
    curve = hits[corners], precision[corners], cuts[corners]
    few = _too_few("roc_band", data, position)
    if few is not None:
        return ThresholdCurve(*curve, _NOWHERE, _NOWHERE, _NOWHERE, few)
    recall = _GRID[1:]
    # Specificity over 1 - sensitivity is the ROC curve of the others.
    low, high = _band(~positive, -ranked, data.patients, 1 - recall)
    return ThresholdCurve(
        *curve,
        recall,
        _precision(recall, 1 - low, odds),
        _precision(recall, 1 - high, odds),
    )


def score_histogram(data: Predictions, position: int, bins: int = 40) -> Histogram:
    """Distribution of one class's scores over [0, 1]; bins exclude their lower edge.

    Args:
        data: One split.
        position: The class.
        bins: How many, 1 to `POINTS`.

    Raises:
        DataError: The number of bins is out of range.
    """
    if not 1 <= bins <= POINTS:
        raise DataError(
            _(
                "A histogram has 1 to {most} bins; {bins} were asked for.",
                most=POINTS,
                bins=bins,
            )
        )
    positive, scores = data.truth == position, data.scores[:, position]
    number = bin_numbers(scores, bins)
    inside = np.bincount(number[positive], minlength=bins)
    outside = np.bincount(number[~positive], minlength=bins)
    return Histogram(np.linspace(0, 1, bins + 1), inside, outside)


def decision_curve(
    data: Predictions, position: int, thresholds: NDArray[np.float64] | None = None
) -> DecisionCurve:
    """Net benefit over the probabilities from which one would act.

    True positives minus false positives weighted with the odds of the threshold, per
    patient. Means something only where scores are calibrated.

    Args:
        data: One split.
        position: The class.
        thresholds: In (0, 1), shape `(m,)`; default 0.01 to 0.99.

    Raises:
        DataError: The class, or everything else, is absent; or a threshold lies
            outside (0, 1).

    Reference: Vickers and Elkin, Medical Decision Making 26 (2006) 565.
    """
    if thresholds is None:
        thresholds = np.arange(1, 100) / 100
    positive, score = data.truth == position, data.scores[:, position]
    if positive.all() or not positive.any():
        raise DataError(_("No decision curve: only one kind of image for this class."))
    if thresholds.min() <= 0 or thresholds.max() >= 1:
        raise DataError(_("The thresholds of a decision curve lie between 0 and 1."))
    odds = thresholds / (1 - thresholds)
    worth = np.where(positive[:, None], 1.0, -odds) * (score[:, None] >= thresholds)
    n, model = len(score), worth.mean(axis=0)
    half = np.full(len(model), np.nan)
    few = _too_few("net_benefit", data, position)
    for at in range(len(model) if few is None else 0):
        influence = (worth[:, at] - model[at]) / n
        variance, quantile = variance_and_quantile(influence, data.patients)
        half[at] = quantile * math.sqrt(variance)
    # One patient bounds nothing: then all that a single image can be worth does.
    low, high = np.maximum(model - half, -odds), np.minimum(model + half, 1.0)
    share = float(positive.mean())
    treat_all = share - (1 - share) * odds
    return DecisionCurve(thresholds, model, low, high, treat_all, few)


def _too_few(kind: str, data: Predictions, position: int) -> LimitingGroup | None:
    """The class or the rest, whichever is smaller, if too small for intervals."""
    sides: tuple[Members, Members] = ("class", "rest")
    groups = [group_of_class(data, position, side) for side in sides]
    smallest = min(groups, key=lambda group: group.count)
    return None if enough(kind, smallest) else smallest


def _one_against_rest(
    data: Predictions, position: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    positive = data.truth == position
    if positive.all() or not positive.any():
        name = data.classes[position]
        raise DataError(
            _("No curve of {name}: one of the two groups has no image.", name=name)
        )
    return positive, data.log_odds[:, position]


def _thresholds(
    scores: NDArray[np.float64], ranked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score from which as many are called at each point of `_rates`, or more.

    Scores may be equal, 1 for instance, where ranks still differ.
    """
    order = np.argsort(-ranked, kind="stable")
    last = np.append(np.diff(ranked[order]) < 0, True)
    lowest = np.minimum.accumulate(scores[order])[last]
    return np.concatenate([[np.nextafter(scores.max(), np.inf)], lowest])


def _rates(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds, descending, with the shares called in and outside the class."""
    levels, number = np.unique(scores, return_inverse=True)
    inside = np.bincount(number, weights=positive)[::-1].cumsum()
    outside = np.bincount(number, weights=~positive)[::-1].cumsum()
    cuts = np.concatenate([[np.nextafter(levels[-1], np.inf)], levels[::-1]])
    hits = np.concatenate([[0.0], inside / inside[-1]])
    return cuts, hits, np.concatenate([[0.0], outside / outside[-1]])


def _thinned(length: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of points about equally far apart along a curve, ends included."""
    if len(length) <= POINTS:
        return np.arange(len(length))
    steps = np.linspace(length[0], length[-1], POINTS)
    nearest = np.searchsorted(length, steps)
    return np.unique(np.concatenate([[0], nearest, [len(length) - 1]]))


def _band(
    positive: NDArray[np.bool_],
    scores: NDArray[np.float64],
    patients: NDArray[np.intp] | None,
    alarms: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the sensitivity's intervals at each share of false alarms."""
    cuts, hit_rates, alarm_rates = _rates(positive, scores)
    # The steepest reading of the curve: at equal alarms the highest sensitivity.
    last = np.searchsorted(alarm_rates, alarms + 1e-12, side="right") - 1
    likeness = _likeness(positive, scores, patients)
    ends = []
    for point, x in zip(last, alarms, strict=True):
        called, hit = scores >= cuts[point], float(hit_rates[point])
        alarm = proportion(called, patients, ~positive)
        reach = max((alarm.high - alarm.low) / 2, 1 / alarm.n)
        left, right = max(x - reach, 0.0), min(x + reach, 1.0)
        climbed = np.interp([left, right], alarm_rates, hit_rates)
        slope = (climbed[1] - climbed[0]) / (right - left)
        independent = _independent(
            positive, called, patients, (hit, alarm.value, slope), likeness
        )
        interval = wilson_at(hit, independent)
        ends.append((interval.low, interval.high))
    low, high = np.array(ends).T
    return low, high


def _independent(
    positive: NDArray[np.bool_],
    called: NDArray[np.bool_],
    patients: NDArray[np.intp] | None,
    place: tuple[float, float, float],
    likeness: float,
) -> float:
    """How many independent images would tell the sensitivity as well as these do.

    Args:
        positive: Whether each image is of the class, shape `(n,)`.
        called: Whether it is called, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        place: Sensitivity, share of false alarms and slope of the curve there.
        likeness: As from `_likeness`.
    """
    hit, alarm, slope = place
    inside, outside = int(positive.sum()), int((~positive).sum())
    if hit in (0.0, 1.0):  # nothing varies that could be measured
        return inside / likeness
    influence = np.where(
        positive, (called - hit) / inside, -slope * (called - alarm) / outside
    )
    variance, quantile = variance_and_quantile(influence, patients, STEADY_PATIENTS)
    if math.isinf(variance):
        return inside / likeness
    variance = max(variance, hit * (1 - hit) / inside)
    return hit * (1 - hit) / variance * (Z / quantile) ** 2


def _likeness(
    positive: NDArray[np.bool_],
    scores: NDArray[np.float64],
    patients: NDArray[np.intp] | None,
) -> float:
    """How many of the class's images tell as much as one: by their scores' order."""
    if patients is None:
        return 1.0
    ranks = midranks(scores[positive])
    return design_effect(ranks - ranks.mean(), patients[positive])


def _precision(
    hits: NDArray[np.float64], alarms: NDArray[np.float64], odds: float
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return hits * odds / (hits * odds + alarms)
