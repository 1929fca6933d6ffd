"""Paired tests of two models: McNemar, DeLong, bootstrap; Holm's correction.

Each gives the difference with its 95 % interval, a p value and the number of images
that would be needed to tell the models apart. Patients are kept together throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.bootstrap import (
    bootstrap_distribution,
    percentile_interval,
    smallest_group,
)
from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.variance import (
    Z,
    design_effect,
    variance_and_quantile,
)
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.metrics.ranking_metrics import (
    auc_components,
    auc_estimate,
    mean_precision_influence,
    shrunk_influence,
)
from medmodel.evaluation.predictions import Predictions, Weights
from medmodel.language import _

OneAgainstRest = tuple[Predictions, int]
"""Predictions, and the position of the class that is told from all others."""
_POWER = 0.8416212335729143  # 80 % point of the standard normal distribution


def accuracy_difference(
    a: Predictions, b: Predictions
) -> tuple[Estimate, float, int | None]:
    """Difference of two accuracies, its p value, and the images needed.

    Reference: the interval: Bonett and Price, Journal of Educational and Behavioral
    Statistics 37 (2012) 479 (one image more on each side, so that no difference seen
    is not called no difference), with the design effect of the patients; the number
    of images: Connor, Biometrics 43 (1987) 207.
    """
    hits = np.stack([model.predicted == model.truth for model in (a, b)]).astype(int)
    change = hits[0] - hits[1]
    n, value = len(change), float(change.mean())
    effect = design_effect(change - value, a.patients)
    gains, losses = int(np.sum(change > 0)), int(np.sum(change < 0))
    count = n / effect + 2
    gain, loss = ((x / effect + 1) / count for x in (gains, losses))
    half = Z * math.sqrt((gain + loss - (gain - loss) ** 2) / count)
    low, high = max(gain - loss - half, -1.0), min(gain - loss + half, 1.0)
    estimate = Estimate(value, min(low, value), max(high, value), n)
    share = (gains + losses) / n
    root = Z * math.sqrt(share) + _POWER * math.sqrt(max(share - value**2, 0.0))
    needed = _needed(effect * root**2 / value**2, n) if value else None
    return estimate, mcnemar(change, a.patients), needed


def mcnemar(change: NDArray[np.int_], patients: NDArray[np.intp] | None) -> float:
    """Two-sided p value of McNemar's exact test; patients are kept together.

    Under the null either model could have got each patient's images right: every
    patient's sum keeps its size and takes a random sign. The distribution of the total
    is computed exactly. With one image per patient it is the binomial test on the
    images where the models disagree.

    Args:
        change: 1 where only the first model is right, -1 where only the second is,
            else 0, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.

    Reference: McNemar, Psychometrika 12 (1947) 153; by patient: Fisher's sign changes,
    The Design of Experiments (1935), 21.
    """
    from scipy.special import gammaln

    sums = change if patients is None else np.bincount(patients, weights=change)
    sums = np.rint(sums).astype(int)
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        at = np.arange(count + 1)
        logs = gammaln(count + 1) - gammaln(at + 1) - gammaln(count - at + 1)
        spaced = np.zeros(2 * size * count + 1)
        spaced[:: 2 * size] = np.exp(logs - count * math.log(2))
        chances = np.convolve(chances, spaced)
    total = np.arange(len(chances)) - (len(chances) - 1) // 2
    return float(min(1.0, chances[np.abs(total) >= abs(int(sums.sum()))].sum()))


def area_difference(
    a: Predictions, b: Predictions, position: int | None = None
) -> tuple[Estimate, float, int | None]:
    """Difference of two areas under the ROC curve by DeLong's paired test.

    DeLong's own interval is symmetric; of areas near 1 it holds the truth 60 to 90
    times of 100. The interval here is made from those of both areas, which stay within
    0 and 1, and from their correlation.

    Args:
        a: One model's predictions.
        b: The other's, of the same images.
        position: A class; None for the mean of the classes.

    Reference: DeLong et al., Biometrics 44 (1988) 837; Sun and Xu, IEEE Signal
    Processing Letters 21 (2014) 1389; patients kept together: Obuchowski, Biometrics
    53 (1997) 567, with Student's t for as many patients (or images) as there are; the
    interval: MOVER; Zou and Donner, Statistics in Medicine 27 (2008) 1693.
    """
    positions = range(len(a.classes)) if position is None else [position]
    return mean_area_difference(
        [(a, k) for k in positions], [(b, k) for k in positions]
    )


def mean_area_difference(
    ones: Sequence[OneAgainstRest], others: Sequence[OneAgainstRest]
) -> tuple[Estimate, float, int | None]:
    """The same of means of areas, each of which may be of predictions of its own.

    Args:
        ones: Of one model, all of the same images and patients; what has no area is
            left out.
        others: Of the other model, in the same order, of the same images.
    """
    from scipy.special import stdtr

    one, other = _mean_area(ones), _mean_area(others)
    if one is None or other is None:
        return NOT_MEASURABLE, 1.0, None
    first = ones[0][0]
    variance, _ = variance_and_quantile(one.influence - other.influence, first.patients)
    if math.isinf(variance):
        return NOT_MEASURABLE, 1.0, None
    pairs = zip(ones, others, strict=True)
    same = all(np.array_equal(a.scores, b.scores) for (a, _k), (b, _l) in pairs)
    estimate = _ranked_difference(one, other, first, same)
    n, value = estimate.n, estimate.value
    if variance < 1e-15:
        return estimate, _p_of_interval(estimate), None
    error = math.sqrt(variance)
    freedom = (n if first.patients is None else first.patient_count) - 1
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return estimate, p, _needed_by_error(value, error, n)


class _Ranked(NamedTuple):
    """A metric of ranks with its interval, and what each image adds to its error."""

    estimate: Estimate
    influence: NDArray[np.float64]


def _mean_area(chosen: Sequence[OneAgainstRest]) -> _Ranked | None:
    """The mean of the areas; None where none is measurable."""
    data = chosen[0][0]
    areas, influences, shrunk, rarest = [], [], [], len(data.truth)
    for each, k in chosen:
        positive = each.truth == k
        if positive.any() and not positive.all():
            area, influence = auc_components(positive, each.log_odds[:, k])
            areas.append(area)
            influences.append(influence)
            shrunk.append(shrunk_influence(positive, area, influence, data.patients))
            rarest = min(rarest, int(positive.sum()), int((~positive).sum()))
    if not areas:
        return None
    mean, steady = float(np.mean(areas)), np.mean(shrunk, axis=0)
    estimate = auc_estimate(mean, steady, data.patients, rarest)
    return _Ranked(estimate, np.mean(influences, axis=0))


def _mean_precision(data: Predictions) -> _Ranked | None:
    """The mean of the classes' average precisions; None where none is measurable."""
    ranked = [
        (data.truth == k, data.log_odds[:, k])
        for k in np.unique(data.truth).tolist()
        if not np.all(data.truth == k)
    ]
    if not ranked:
        return None
    # What few images make too high, they make so for both models.
    value, influence = mean_precision_influence(ranked)
    rarest = min(int(positive.sum()) for positive, _ in ranked)
    estimate = auc_estimate(value, influence, data.patients, rarest)
    return _Ranked(estimate, influence)


def _ranked_difference(
    one: _Ranked, other: _Ranked, data: Predictions, same: bool
) -> Estimate:
    """Difference of two metrics of ranks, with an interval made from those of both.

    Args:
        one: Of one model.
        other: Of the other.
        data: Whose images and patients these are.
        same: Whether both models gave the same scores.
    """
    value, n = one.estimate.value - other.estimate.value, len(data.truth)
    if same:
        return Estimate(0.0, 0.0, 0.0, n)
    correlation = _correlation(one.influence, other.influence, data.patients)
    if abs(value) > 1e-12 and np.allclose(one.influence, other.influence, atol=1e-9):
        # As of a model that separates perfectly and one that says the same of every
        # image: no image errs more than another, but each area has its interval.
        correlation = 0.0
    low, high = _ends_of_difference(one.estimate, other.estimate, correlation)
    return Estimate(value, min(low, value), max(high, value), n)


def _correlation(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    patients: NDArray[np.intp] | None,
) -> float:
    """Correlation of two estimates by what each image adds to their errors."""
    if patients is not None:
        one, other = (
            np.bincount(patients, weights=each).astype(np.float64)
            for each in (one, other)
        )
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0 else 0.0


def _ends_of_difference(
    one: Estimate, other: Estimate, correlation: float
) -> tuple[float, float]:
    """Interval of a difference of two correlated estimates.

    MOVER without what both have in common. As it was published, with 2 r d u in place
    of r (d² + u²), it leaves a difference between one estimate and itself where the
    estimate's interval is longer on one side.
    """
    value = one.value - other.value
    apart = math.sqrt(max(1 - correlation, 0.0))
    down, up = one.value - one.low, one.high - one.value
    below, above = other.value - other.low, other.high - other.value
    low = value - apart * math.hypot(down, above)
    high = value + apart * math.hypot(up, below)
    return max(low, -1.0), min(high, 1.0)


def _p_of_interval(estimate: Estimate) -> float:
    """P value that belongs to an interval of a difference."""
    from scipy.special import ndtr

    value = estimate.value
    if abs(value) < 1e-12:
        return 1.0
    half = value - estimate.low if value > 0 else estimate.high - value
    return 2 * float(ndtr(-Z * abs(value) / half))


def bootstrap_difference(
    a: Predictions, b: Predictions, metric: str, draws: int = 0
) -> tuple[Estimate, float, int | None]:
    """Difference of any metric by the paired bootstrap, patients kept together.

    Both models are measured on the same resampled splits; see `percentile_interval`.
    Of metrics of predicted classes the interval allows for one more disagreement.

    Args:
        a: One model's predictions.
        b: The other's, of the same images.
        metric: Key of `metric_table.METRICS`.
        draws: Resampled splits; 0 for 2,000, fewer (500 at least) beyond 2,500 images.

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap (1993), 13.
    """
    measure = METRICS[metric].weighted

    def change(weights: Weights) -> NDArray[np.float64]:
        return measure(a, weights) - measure(b, weights)

    n = len(a.truth)
    draws = draws or min(2000, max(500, 5_000_000 // n))
    value = float(change(np.ones((1, n)))[0])
    units = n if a.patients is None else a.patient_count
    differences = bootstrap_distribution(a, change, draws)
    differences = differences[np.isfinite(differences)]
    if math.isnan(value) or units < 2 or len(differences) < draws / 2:
        return NOT_MEASURABLE, 1.0, None
    smallest = smallest_group(metric, [a, b])
    low, high, p = percentile_interval(differences, smallest)
    ranked = [_mean_precision(model) for model in (a, b)]
    if metric == "average_precision" and ranked[0] and ranked[1]:
        # Of two models that separate perfectly, every draw has no difference.
        same = np.array_equal(a.scores, b.scores)
        estimate = _ranked_difference(ranked[0], ranked[1], a, same)
        low, high = estimate.low, estimate.high
    if METRICS[metric].from_choices:
        variance = _one_disagreement_more(a, metric, smallest)
        low, high = _widened((low, value, high), variance)
    estimate = Estimate(value, min(low, value), max(high, value), n)
    return estimate, p, _needed_by_error(value, float(differences.std()), n)


def _one_disagreement_more(data: Predictions, metric: str, smallest: int) -> float:
    """Variance that one more disagreement on either side adds to a difference.

    What Bonett and Price add to a difference of accuracies: models of which hardly one
    image tells more than the other are not known to be equally good. One image of the
    smallest group moves a mean over the classes by its share of that class's part.
    """
    classes = len(np.unique(data.truth))
    # From -1 to 1 a correlation moves twice as far as a share.
    span = 2 if metric == "mcc" else 1
    return 2 * (span / (classes * smallest)) ** 2


def _widened(
    interval: tuple[float, float, float], variance: float
) -> tuple[float, float]:
    """Ends of an interval (low, value, high) whose variance grows by another one."""
    low, value, high = interval
    half, other = (high - low) / 2, Z * math.sqrt(variance)
    if half == 0:
        return value - other, value + other
    factor = math.hypot(half, other) / half
    return value - factor * (value - low), value + factor * (high - value)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the order given.

    Reference: Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted


class Tested(Protocol):
    """What `corrected` needs of a difference: how large it is, and its p value."""

    @property
    def estimate(self) -> Estimate:
        """With an interval where there are enough images to test it."""

    @property
    def p(self) -> float:
        """Two-sided."""


_Difference = TypeVar("_Difference", bound=Tested)


def corrected(pairs: Sequence[_Difference]) -> list[_Difference]:
    """Differences whose p values are adjusted by `holm` for those that are tested."""
    adjusted = iter(holm([pair.p for pair in pairs if pair.estimate.has_interval]))
    return [
        replace(pair, p=next(adjusted)) if pair.estimate.has_interval else pair  # type: ignore[type-var]
        for pair in pairs
    ]


def correction(pairs: Iterable[Tested]) -> str:
    """What was done to their p values, as a sentence; "" where one or none is told."""
    tests = sum(pair.estimate.has_interval for pair in pairs)
    if tests < 2:
        return ""
    return _("p values are corrected for {count} pairs (Holm).", count=tests)


def _needed_by_error(value: float, error: float, n: int) -> int | None:
    """Images for 80 % power at 5 %: the error shrinks with the root of their number."""
    if abs(value) < 1e-12 or error == 0:
        return None
    return _needed(n * ((Z + _POWER) * error / value) ** 2, n)


def _needed(images: float, n: int) -> int:
    """Rounded up to two digits: it is an estimate from an estimate."""
    wanted = max(images, n + 1.0)
    step = 10 ** max(math.floor(math.log10(wanted)) - 1, 0)
    return math.ceil(wanted / step) * step
