"""Which of several models is better, on the test images that all of them have seen.

Every pair is compared image by image, which sees differences that two intervals hide.
Nothing is called better unless its corrected test and its interval both say so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.bootstrap import (
    WEIGHTED,
    Weights,
    percentiles,
    resampled,
    smallest_group,
)
from medmodel.evaluation.intervals import (
    NOT_MEASURABLE,
    Estimate,
    Z,
    auc_components,
    auc_estimate,
    design_effect,
    spread,
)
from medmodel.evaluation.metrics import LOWER_IS_BETTER, TITLES
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.runs.tables import score_columns, scored_classes

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05
_POWER = 0.8416212335729143  # 80 % point of the standard normal distribution


@dataclass(frozen=True)
class Common:
    """The test images that all models have in common, in the same order for each.

    Args:
        paths: The images' paths, sorted, length n.
        models: Name of each model -> its predictions of these images.
        left_out: Name of each model -> its test images that some other one lacks.
    """

    paths: list[str]
    models: Mapping[str, Predictions]
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        """How many there are, as a sentence."""
        most = max(self.left_out.values())
        rest = f", up to {most:,} are left out" if most else ""
        return f"{len(self.paths):,} test images are common to all{rest}."


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same images.

    Args:
        metric: Key of `metrics.TITLES`.
        first: Name of the one model.
        second: Name of the other.
        values: The metric of each.
        estimate: First minus second, with its 95 % interval.
        p: Two-sided p value; after `holm` the adjusted one.
        test: Name of the test.
        needed: Images with which a difference of this size would be found in 80 of
            100 trials; None where no number would do.
    """

    metric: str
    first: str
    second: str
    values: tuple[float, float]
    estimate: Estimate
    p: float
    test: str
    needed: int | None

    @property
    def better(self) -> str:
        """Name of the better model; empty where they cannot be told apart."""
        found = self.estimate
        if not found.measurable or self.p > SIGNIFICANT or found.low <= 0 <= found.high:
            return ""
        larger = found.value > 0
        return self.first if larger != (self.metric in LOWER_IS_BETTER) else self.second

    @property
    def worse(self) -> str:
        """Name of the other one than the better model."""
        return self.second if self.better == self.first else self.first

    @property
    def size(self) -> str:
        """How far they are apart, without a sign: `2.1 points (0.4 to 3.9)`."""
        found = self.estimate
        # Among many images a difference may be real and yet tiny.
        digits = 1 if abs(found.value) >= 0.002 else 3
        # A log loss has no upper end, so that hundredths of it are no "points".
        loss = self.metric == "log_loss"
        scale, unit, more = (1, "", 2) if loss else (100, " points", 0)
        sizes = (found.value, *sorted((found.low, found.high), key=abs))
        size, low, high = (f"{scale * abs(x):.{digits + more}f}" for x in sizes)
        return f"{size}{unit} ({low} to {high})"

    def __str__(self) -> str:
        """The sentence."""
        found = self.estimate
        if not found.measurable:
            return f"{self.first} and {self.second}: not measurable."
        if self.better:
            return f"{self.better} is better than {self.worse} by {self.size}."
        both = f"{self.first} and {self.second}: not distinguishable on {found.n:,}"
        if self.needed is None:
            return f"{both} images."
        many = self.needed > 1_000_000
        needed = "more than a million" if many else f"about {self.needed:,}"
        return f"{both} images; {needed} would be needed."


def common_images(tables: Mapping[str, pd.DataFrame], split: str = "test") -> Common:
    """The images that every table has in the split, brought into the same order.

    Args:
        tables: Name of each model -> its predictions table; two at least.
        split: Only images that lie in this split for every model: what one model was
            trained on may not judge it.

    Raises:
        DataError: Fewer than two models, other classes, no image in common, an image
            twice in a table, or labels that disagree.
    """
    if len(tables) < 2:
        raise DataError("A comparison needs two models at least.")
    indexed = {}
    for name, table in tables.items():
        rows = table[table["split"] == split].set_index("path")
        if not rows.index.is_unique:
            raise DataError(f"An image occurs twice in the predictions of {name}.")
        indexed[name] = rows
    first_name, first = next(iter(indexed.items()))
    classes = scored_classes(first)
    columns = score_columns(classes)
    paths = sorted(set.intersection(*(set(rows.index) for rows in indexed.values())))
    if not paths:
        raise DataError("These models have no test image in common.")
    known = [r for r in indexed.values() if not (r.loc[paths, "patient"] == "").any()]
    models = {}
    for name, rows in indexed.items():
        if set(scored_classes(rows)) != set(classes):
            raise DataError(f"{name} and {first_name} do not have the same classes.")
        chosen = rows.loc[paths, ["patient", "split", "label", *columns]]
        wrong = int((chosen["label"] != first.loc[paths, "label"]).sum())
        if wrong:
            raise DataError(
                f"{name} and {first_name} have other labels for {wrong:,} images."
            )
        if known:
            chosen = chosen.assign(patient=known[0].loc[paths, "patient"])
        models[name] = split_predictions(chosen.reset_index(), split)
    left_out = {name: len(rows) - len(paths) for name, rows in indexed.items()}
    return Common(list(map(str, paths)), models, left_out)


def compare(common: Common, metric: str) -> list[Difference]:
    """Every pair of models by one metric, corrected by Holm beyond one pair.

    Accuracy by McNemar's exact test, the area under the ROC curve by DeLong's, all
    others by the paired bootstrap; patients are kept together throughout.

    Args:
        common: As from `common_images`.
        metric: Key of `metrics.TITLES`.

    Raises:
        DataError: There is no such metric.
    """
    if metric not in TITLES:
        raise DataError(f"There is no metric {metric!r}.")
    found = [
        difference(common, first, second, metric)
        for first, second in itertools.combinations(common.models, 2)
    ]
    adjusted = holm([pair.p for pair in found])
    return [replace(pair, p=p) for pair, p in zip(found, adjusted, strict=True)]


def difference(common: Common, first: str, second: str, metric: str) -> Difference:
    """One metric of two models, tested as `compare` says, uncorrected."""
    a, b = common.models[first], common.models[second]
    ones = np.ones((1, len(a.truth)))
    values = tuple(float(WEIGHTED[metric](model, ones)[0]) for model in (a, b))
    if metric == "accuracy":
        estimate, p, needed = accuracy_difference(a, b)
        test = "McNemar, exact" if a.patients is None else "McNemar, exact by patient"
    elif metric == "auc":
        estimate, p, needed = area_difference(a, b)
        test = "DeLong, paired"
    else:
        estimate, p, needed = bootstrap_difference(a, b, metric)
        test = "paired bootstrap"
    return Difference(
        metric, first, second, (values[0], values[1]), estimate, p, test, needed
    )


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

    Args:
        a: One model's predictions.
        b: The other's, of the same images.
        position: A class; None for the mean of the classes.

    Reference: DeLong et al., Biometrics 44 (1988) 837; Sun and Xu, IEEE Signal
    Processing Letters 21 (2014) 1389; patients kept together: Obuchowski, Biometrics
    53 (1997) 567, with Student's t for as many patients (or images) as there are.
    """
    from scipy.special import stdtr, stdtrit

    chosen = range(len(a.classes)) if position is None else [position]
    areas, influences, rarest = [], [], len(a.truth)
    for k in chosen:
        positive = a.truth == k
        if positive.any() and not positive.all():
            one, other = (auc_components(positive, m.scores[:, k]) for m in (a, b))
            areas.append((one[0], other[0]))
            influences.append(one[1] - other[1])
            rarest = min(rarest, int(positive.sum()), int((~positive).sum()))
    if not areas:
        return NOT_MEASURABLE, 1.0, None
    means = np.mean(areas, axis=0)
    n, value = len(a.truth), float(means[0] - means[1])
    influence = np.mean(influences, axis=0)
    variance, _ = spread(influence, a.patients)
    if math.isinf(variance):
        return NOT_MEASURABLE, 1.0, None
    if variance < 1e-15:
        bare = np.zeros(n)
        bounds = [auc_estimate(float(m), bare, a.patients, rarest) for m in means]
        return *_difference_of(bounds[0], bounds[1]), None
    error = math.sqrt(variance)
    freedom = (n if a.patients is None else a.patient_count) - 1
    half = float(stdtrit(freedom, 0.975)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Estimate(value, low, high, n), p, _needed_by_error(value, error, n)


def _difference_of(one: Estimate, other: Estimate) -> tuple[Estimate, float]:
    """Two areas in which no image errs more than another, and the p value.

    As of a model that separates perfectly and one that says the same of every image:
    their difference has no variance, but both have intervals (MOVER; Zou and Donner,
    Statistics in Medicine 27 (2008) 1693).
    """
    from scipy.special import ndtr

    value = one.value - other.value
    if abs(value) < 1e-12:
        return Estimate(0.0, 0.0, 0.0, one.n), 1.0
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    p = 2 * float(ndtr(-Z * abs(value) / (below if value > 0 else above)))
    low, high = max(value - below, -1.0), min(value + above, 1.0)
    return Estimate(value, low, high, one.n), p


def bootstrap_difference(
    a: Predictions, b: Predictions, metric: str, draws: int = 0
) -> tuple[Estimate, float, int | None]:
    """Difference of any metric by the paired bootstrap, patients kept together.

    Both models are measured on the same resampled splits; see `percentiles`.

    Args:
        a: One model's predictions.
        b: The other's, of the same images.
        metric: Key of `metrics.TITLES`.
        draws: Resampled splits; 0 for 2,000, fewer (500 at least) beyond 2,500 images.

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap (1993), 13.
    """
    measure = WEIGHTED[metric]

    def change(weights: Weights) -> NDArray[np.float64]:
        return measure(a, weights) - measure(b, weights)

    n = len(a.truth)
    draws = draws or min(2000, max(500, 5_000_000 // n))
    value = float(change(np.ones((1, n)))[0])
    units = n if a.patients is None else a.patient_count
    found = resampled(a, change, draws)
    found = found[np.isfinite(found)]
    if math.isnan(value) or units < 2 or len(found) < draws / 2:
        return NOT_MEASURABLE, 1.0, None
    low, high, p = percentiles(found, smallest_group(metric, [a, b]))
    estimate = Estimate(value, min(low, value), max(high, value), n)
    return estimate, p, _needed_by_error(value, float(found.std()), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the order given.

    Reference: Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def disagreements(common: Common) -> NDArray[np.bool_]:
    """Where the models' first choices are not all the same, shape `(n,)`."""
    choices = np.stack([model.predicted for model in common.models.values()])
    return (choices != choices[0]).any(axis=0)


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
