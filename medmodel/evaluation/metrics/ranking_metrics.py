"""Area under the ROC curve (DeLong) and average precision, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.intervals.variance import design_effect, variance_and_quantile
from medmodel.evaluation.predictions import Predictions, Weights

_PRIOR = 2
_MOST_EXCESS = 0.4
"""Of the distance from an average precision to its lower end: with more, the interval
holds the truth less than 93 times of 100."""
STEADY_IMAGES, STEADY_PATIENTS = 20.0, 6.0
"""Degrees of freedom that a variance of ranks has at least, though not more than images
of two groups as small as the rarest, where patients are unknown and where known.

Fewer, as the images seen alone suggest where one of them is far off, make intervals of
20 images so wide that they say nothing (0.57–1.00), and hold the truth 99 times of 100;
of patients, who bring several images, they hold it 92 times with more.
"""


@dataclass(frozen=True)
class ClassArea:
    """One class's area under the ROC curve before it gets an interval.

    Args:
        area: In [0, 1].
        influence: What each image adds to its error, shape `(n,)`.
        rarest: Images of the class or of the rest, whichever is fewer.
    """

    area: float
    influence: NDArray[np.float64]
    rarest: int

    def estimate(self, patients: NDArray[np.intp] | None) -> Estimate:
        """The area with its interval.

        Args:
            patients: Patient number of each image, shape `(n,)`; None if unknown.
        """
        return auc_estimate(self.area, self.influence, patients, self.rarest)


def roc_auc(data: Predictions, position: int | None = None) -> Estimate:
    """Area under the ROC curve of one class, or the mean of the classes."""
    if position is None:
        return macro_auc(data, class_areas(data))
    area = class_area(data, position)
    return area.estimate(data.patients) if area else NOT_MEASURABLE


def class_areas(data: Predictions) -> list[ClassArea | None]:
    """Each class's one-against-rest area; None where it or the rest is absent."""
    return [class_area(data, position) for position in range(len(data.classes))]


def macro_auc(data: Predictions, areas: Sequence[ClassArea | None]) -> Estimate:
    """Mean one-against-rest area of the classes that occur; two classes: the area."""
    area = mean_area(areas)
    return area.estimate(data.patients) if area else NOT_MEASURABLE


def mean_area(areas: Sequence[ClassArea | None]) -> ClassArea | None:
    """Mean of the areas that were measured on the same images; None without any."""
    measured = [area for area in areas if area is not None]
    if not measured:
        return None
    mean = sum(area.area for area in measured) / len(measured)
    influence = np.mean([area.influence for area in measured], axis=0)
    return ClassArea(mean, influence, min(area.rarest for area in measured))


def class_area(data: Predictions, position: int) -> ClassArea | None:
    """One class's area against the rest; None where it or the rest is absent."""
    positive = data.truth == position
    inside, outside = int(positive.sum()), int((~positive).sum())
    if not inside or not outside:
        return None
    area, influence = auc_components(positive, data.log_odds[:, position])
    steady = shrunk_influence(positive, area, influence, data.patients)
    return ClassArea(area, steady, min(inside, outside))


def average_precision(data: Predictions, position: int | None = None) -> Estimate:
    """Average precision of one class, or the mean of the classes that occur.

    Reference: as in scikit-learn, without interpolation; on the logit scale: Boyd,
    Eng and Page, Area Under the Precision-Recall Curve, ECML 2013.
    """
    ranked = []
    for at in range(len(data.classes)) if position is None else [position]:
        positive = data.truth == at
        if 0 < positive.sum() < len(positive):
            ranked.append((positive, data.log_odds[:, at]))
    return mean_precision(ranked, data.patients)


def mean_precision(
    ranked: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64]]],
    patients: NDArray[np.intp] | None,
) -> Estimate:
    """Mean average precision of several classes of the same images.

    What few images make too high stays too high in a mean of many classes, whose
    interval is narrow: of thirty classes of 20 images each it lay above the truth 9
    times of 10. The lower end is therefore that of the mean without
    `precision_excess`; the upper one is left where it is, as the excess is itself known
    from these images. Where the excess is most of what is uncertain there is no
    interval: both ends are not-a-number.

    Args:
        ranked: Of each class whether each image is of it, and the images' scores; both
            of shape `(n,)`, with images of the class and others.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
    """
    if not ranked:
        return NOT_MEASURABLE
    value, influence = mean_precision_influence(ranked)
    rarest = min(int(positive.sum()) for positive, _ in ranked)
    estimate = auc_estimate(value, influence, patients, rarest)
    excess = sum(precision_excess(*each) for each in ranked) / len(ranked)
    if excess > _MOST_EXCESS * (value - estimate.low):
        return replace(estimate, low=math.nan, high=math.nan)
    if excess <= 0 or value == 1:
        return estimate
    low = auc_estimate(value - excess, influence, patients, rarest).low
    return replace(estimate, low=min(low, estimate.low))


def mean_precision_influence(
    ranked: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64]]],
) -> tuple[float, NDArray[np.float64]]:
    """Mean average precision and what each image adds to its error, shape `(n,)`.

    Args:
        ranked: As for `mean_precision`; at least one class.
    """
    parts = [precision_influence(*each) for each in ranked]
    influence = np.mean([influence for _, influence in parts], axis=0)
    return sum(precision for precision, _ in parts) / len(parts), influence


def precision_excess(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """How much too high an average precision is on average, for its few images.

    Each image of the class counts itself among those that score no lower, and a ratio
    of few is not the ratio of many. Known by leaving out each image in turn, whose
    weight the others of its group take over, in closed form.

    Args:
        positive: Whether each image is of the class, shape `(n,)`; some must be, and
            some not.
        scores: Shape `(n,)`; images with equal scores are called together.

    Reference: the jackknife's bias; Quenouille, Biometrika 43 (1956) 353.
    """
    inside, outside = int(positive.sum()), int((~positive).sum())
    if inside < 2 or outside < 2:
        return 0.0
    hits, right, wrong = _above(positive, scores)
    kept, more = inside / (inside - 1), outside / (outside - 1)
    value = hits @ (right / (right + wrong)) / inside
    # Of the others of the class, `right - 1` score no lower than one of it.
    fewer = (right - 1) * kept
    ahead = np.divide(fewer, fewer + wrong, out=np.zeros_like(fewer), where=fewer > 0)
    behind = right * kept / (right * kept + wrong)
    without = hits @ ((right - 1) * ahead + (inside - right) * behind) / (inside - 1)
    among_class = (inside - 1) * (without / inside - value)
    ahead = right / (right + np.maximum(wrong - 1, 0) * more)
    behind = right / (right + wrong * more)
    without = hits @ (wrong * ahead + (outside - wrong) * behind) / outside
    return float(among_class + (outside - 1) * (without / inside - value))


def _above(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Images of the class with each score, those that score no lower, the rest's.

    Each of shape `(m,)`, for the `m` distinct scores of images of the class.
    """
    _, level = np.unique(scores, return_inverse=True)
    hits, others = (
        np.bincount(level, weights=group).astype(np.float64)
        for group in (positive, ~positive)
    )
    right, wrong = (np.cumsum(each[::-1])[::-1] for each in (hits, others))
    has = hits > 0
    return hits[has], right[has], wrong[has]


def precision_influence(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Average precision and what each image adds to its error, shape `(n,)`.

    Args:
        positive: Whether each image is of the class, shape `(n,)`; some must be.
        scores: Shape `(n,)`; images with equal scores are called together.
    """
    _, level = np.unique(scores, return_inverse=True)
    images = np.bincount(level).astype(float)
    hits = np.bincount(level, weights=positive)
    # At or above each distinct score, ascending.
    called = np.cumsum(images[::-1])[::-1]
    right = np.cumsum(hits[::-1])[::-1]
    precision = right / called
    inside = float(hits.sum())
    value = float(hits @ precision / inside)
    # An image changes the precision at every positive image scored no higher.
    gain = np.cumsum(hits / called)
    loss = np.cumsum(hits * right / called**2)
    change = positive * (precision + gain - value)[level] - loss[level]
    return value, change / inside


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each value from 1, equal ones sharing theirs, shape `(n,)`.

    As `scipy.stats.rankdata`, whose import takes longer than a page may.
    """
    _, level, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[level]


def auc_components(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Area under the ROC curve, and what each image adds to its error.

    Args:
        positive: Whether each image belongs to the class, shape `(n,)`; both must
            occur.
        scores: Score of each image for the class, shape `(n,)`; ties count half.

    Returns:
        The area in [0, 1], and DeLong's structural components as influences, shape
        `(n,)`: their sum is 0, the sum of their squares the variance.

    Reference: DeLong et al., Biometrics 44 (1988) 837; by midranks as in Sun and Xu,
    IEEE Signal Processing Letters 21 (2014) 1389.
    """
    inside, outside = scores[positive], scores[~positive]
    ranks = midranks(scores)
    # Share of the other group's scores that lie on the right side of each one.
    wins = (ranks[positive] - midranks(inside)) / len(outside)
    losses = 1 - (ranks[~positive] - midranks(outside)) / len(inside)
    # Ranks are halves of whole numbers: their sum is exact, whichever class is asked.
    pairs = len(inside) * len(outside)
    area = float(ranks[positive].sum() - len(inside) * (len(inside) + 1) / 2) / pairs
    influence = np.empty(len(scores))
    influence[positive] = (wins - area) / _degrees(len(inside))
    influence[~positive] = (losses - area) / _degrees(len(outside))
    return area, influence


def shrunk_influence(
    positive: NDArray[np.bool_],
    area: float,
    influence: NDArray[np.float64],
    patients: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """DeLong's components with a variance that few images cannot make too small.

    With twenty images of a class the plain variance is often far too low, just when
    the area came out too high: intervals cover 87 % instead of 95 %. Hence each group's
    variance is averaged with the one that Hanley and McNeil (Radiology 143 (1982) 29)
    expect at such an area, the latter weighing as much as `_PRIOR` images or patients.

    Args:
        positive: Whether each image belongs to the class, shape `(n,)`.
        area: Area under the ROC curve, in [0, 1].
        influence: As from `auc_components`, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
    """
    usual = (area / (2 - area) + 2 * area**2 / (1 + area)) / 2 - area**2
    shrunk = influence.copy()
    for group in (positive, ~positive):
        images = int(group.sum())
        variance = float(np.sum(influence[group] ** 2)) * images
        units = images
        if patients is not None:
            units = int(np.count_nonzero(np.bincount(patients[group])))
        if variance > 0:
            mixed = ((units - 1) * variance + _PRIOR * usual) / (units - 1 + _PRIOR)
            shrunk[group] *= math.sqrt(mixed / variance)
    return shrunk


def auc_estimate(
    area: float,
    influence: NDArray[np.float64],
    patients: NDArray[np.intp] | None,
    rarest: int,
) -> Estimate:
    """Interval of an area (or a mean of areas) from the images' influences.

    Args:
        area: In [0, 1].
        influence: Shape `(n,)`, as from `shrunk_influence`, or a mean of such.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        rarest: Images of the rarest group that was compared: all there is to go by
            where the groups are perfectly apart and DeLong's variance is 0.

    Reference: on the logit scale, so that it stays within 0 and 1: Pepe, The
    Statistical Evaluation of Medical Tests (2003), 5.2; patients kept together:
    Obuchowski, Biometrics 53 (1997) 567.
    """
    n = len(influence)
    variance, quantile = variance_and_quantile(
        influence, patients, least_freedom(patients, rarest)
    )
    if variance < 1e-15 or math.isinf(variance) or not 0 < area < 1:
        effect = design_effect(np.zeros(n), patients)
        bound = wilson(round(area * rarest), rarest, effect)
        return Estimate(area, min(bound.low, area), max(bound.high, area), n)
    logit = math.log(area / (1 - area))
    half = quantile * math.sqrt(variance) / (area * (1 - area))
    return Estimate(area, _logistic(logit - half), _logistic(logit + half), n)


def least_freedom(patients: NDArray[np.intp] | None, rarest: int) -> float:
    """Degrees of freedom of a variance of ranks, at least.

    Args:
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        rarest: Images of the smaller group.
    """
    steady = STEADY_IMAGES if patients is None else STEADY_PATIENTS
    return max(min(steady, 2 * rarest - 2), 1.0)


def weighted_auc(data: Predictions, weights: Weights) -> Weights:
    """`roc_auc`, shape `(b,)`, for weights of shape `(b, n)`."""
    return _weighted_mean(data, weights, weighted_area)


def weighted_average_precision(data: Predictions, weights: Weights) -> Weights:
    """`average_precision`, shape `(b,)`, for weights of shape `(b, n)`."""
    return _weighted_mean(data, weights, weighted_precision)


def weighted_area(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Areas under the ROC curve, shape `(b,)`; ties count half."""
    inside, outside = _by_level(positive, scores, weights)
    below = np.cumsum(outside, axis=1) - outside / 2
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.sum(inside * below, axis=1) / pairs


def weighted_precision(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Average precisions, shape `(b,)`; equal scores are called together."""
    inside, outside = _by_level(positive, scores, weights)
    right = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1]
    called = right + np.cumsum(outside[:, ::-1], axis=1)[:, ::-1]
    precision = right / np.maximum(called, 1e-300)
    with np.errstate(invalid="ignore"):
        return np.sum(inside * precision, axis=1) / inside.sum(axis=1)


def _by_level(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: Weights
) -> tuple[Weights, Weights]:
    """Weight at each distinct score, ascending, in the class and outside it."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    ordered = weights[:, order]
    inside = np.add.reduceat(ordered * positive[order], starts, axis=1)
    return inside, np.add.reduceat(ordered, starts, axis=1) - inside


def _weighted_mean(
    data: Predictions,
    weights: Weights,
    measure: Callable[
        [NDArray[np.bool_], NDArray[np.float64], Weights], NDArray[np.float64]
    ],
) -> NDArray[np.float64]:
    by_class = []
    for position in range(len(data.classes)):
        positive = data.truth == position
        if positive.any() and not positive.all():
            by_class.append(measure(positive, data.log_odds[:, position], weights))
    return np.mean(by_class, axis=0) if by_class else np.full(len(weights), np.nan)


def _degrees(n: int) -> float:
    # (wins - area) / sqrt(n (n - 1)): its squares sum to the unbiased variance / n.
    return math.sqrt(n * max(n - 1, 1))


def _logistic(x: float) -> float:
    # Far out on either side the plain formula would overflow.
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
