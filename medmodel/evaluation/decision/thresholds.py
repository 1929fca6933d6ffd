"""Operating points: which score is a call, and what follows from it at a clinic.

A class is called where its score reaches the threshold. Thresholds are chosen on
validation images only and frozen before test images are looked at; a slider that moves
them afterwards explores and proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.metrics.metric_table import call_metrics
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import _

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["youden", "sensitivity", "specificity", "cost"]


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen.

    Args:
        kind: `"youden"` makes sensitivity + specificity largest; `"sensitivity"` and
            `"specificity"` reach `value` and give away as little as possible of the
            other; `"cost"` makes misses and false alarms cheapest.
        value: The share to reach, above 0 and at most 1; for `"cost"` how many false
            alarms one miss is worth, above 0; for `"youden"` nothing.

    Raises:
        DataError: The kind is unknown or the value lies outside its range.

    Reference: Youden, Cancer 3 (1950) 32; costs: Metz, Semin. Nucl. Med. 8 (1978) 283.
    """

    kind: Kind = "youden"
    value: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise DataError(
                _("There is no rule {kind!r} for a threshold.", kind=self.kind)
            )
        if self.kind in ("sensitivity", "specificity") and not 0 < self.value <= 1:
            raise DataError(
                _("The sensitivity to reach must lie above 0, at most 1.")
                if self.kind == "sensitivity"
                else _("The specificity to reach must lie above 0, at most 1.")
            )
        if self.kind == "cost" and not 0 < self.value < math.inf:
            raise DataError(_("The cost of a miss must be above 0 false alarms."))

    def __str__(self) -> str:
        """As people read it."""
        per_cent = 100 * self.value
        return {
            "youden": _("largest sum of sensitivity and specificity (Youden)"),
            "cost": _(
                "a false negative costs {cost:g} × a false positive", cost=self.value
            ),
            "sensitivity": _("sensitivity of at least {value:.0f} %", value=per_cent),
            "specificity": _("specificity of at least {value:.0f} %", value=per_cent),
        }[self.kind]


@dataclass(frozen=True)
class Rules:
    """A rule for each class.

    Args:
        rules: Class and its rule, as pairs.
    """

    rules: tuple[tuple[str, Rule], ...]

    def __str__(self) -> str:
        """As people read it; a rule of several classes is said once."""
        said: dict[str, list[str]] = {}
        for name, rule in self.rules:
            said.setdefault(str(rule), []).append(name)
        if len(said) == 1:
            return next(iter(said))
        return "; ".join(f"{', '.join(names)}: {rule}" for rule, names in said.items())

    def of(self, name: str) -> Rule:
        """The rule of a class; Youden's for one that has none."""
        return dict(self.rules).get(name, Rule())


@dataclass(frozen=True)
class Outcome:
    """What calling one class at one threshold does to a split.

    Args:
        name: The class.
        threshold: Called where the score is at least this.
        found: Images of the class that are called.
        missed: Images of the class that are not.
        false_alarms: Other images that are called.
        left_alone: Other images that are not.
        metrics: As from `metric_table.call_metrics`.
    """

    name: str
    threshold: float
    found: int
    missed: int
    false_alarms: int
    left_alone: int
    metrics: Mapping[str, Estimate]

    @property
    def prevalence(self) -> float:
        """Share of the split's images that are of the class."""
        positive = self.found + self.missed
        return positive / (positive + self.false_alarms + self.left_alone)


@dataclass(frozen=True)
class Forecast:
    """The same outcome where the class is commoner or rarer.

    Args:
        prevalence: Share of patients with the class, in (0, 1).
        ppv: Of those called, the share that has it.
        npv: Of those not called, the share that does not.
        found: Per 1,000 patients, those with the class who are called.
        missed: Those with the class who are not.
        false_alarms: Those without it who are called.
    """

    prevalence: float
    ppv: Estimate
    npv: Estimate
    found: int
    missed: int
    false_alarms: int

    def __str__(self) -> str:
        """The sentence; a patient has one image here."""
        return _(
            "Per 1,000 patients like these, one image each: {true_positives:,} true "
            "positives, {false_negatives:,} false negatives, {false_positives:,} false "
            "positives.",
            true_positives=self.found,
            false_negatives=self.missed,
            false_positives=self.false_alarms,
        )


def choose_thresholds(table: pd.DataFrame, rule: Rule | Rules) -> dict[str, float]:
    """A threshold per class, from the table's validation images and no others.

    Returns:
        Class -> threshold; not-a-number where the class, or everything else, is
        absent from the validation images.

    Raises:
        DataError: There are no validation images.
    """
    data = split_predictions(table, "val")
    return {
        name: choose_threshold(
            data, position, rule.of(name) if isinstance(rule, Rules) else rule
        )
        for position, name in enumerate(data.classes)
    }


def choose_threshold(data: Predictions, position: int, rule: Rule) -> float:
    """The threshold of one class that follows the rule best on these images.

    It lies halfway between two neighbouring scores. Of equally good ones the lowest is
    taken, which finds most.
    """
    positive = data.truth == position
    if positive.all() or not positive.any():
        return math.nan
    cuts, sensitivity, specificity = _choices(positive, data.scores[:, position])
    if rule.kind == "sensitivity":
        gain = np.where(sensitivity >= rule.value - 1e-12, specificity, -1.0)
    elif rule.kind == "specificity":
        gain = np.where(specificity >= rule.value - 1e-12, sensitivity, -1.0)
    elif rule.kind == "cost":
        share = float(positive.mean())
        gain = rule.value * share * sensitivity + (1 - share) * specificity
    else:
        gain = sensitivity + specificity
    # Rounding must not decide between equally good thresholds; cuts are ascending.
    return float(cuts[np.flatnonzero(gain >= gain.max() - 1e-12)[0]])


def outcome(data: Predictions, position: int, threshold: float) -> Outcome:
    """What calling one class from a threshold on does to a split.

    Raises:
        DataError: The threshold is not a number.
    """
    name = data.classes[position]
    if math.isnan(threshold):
        raise DataError(_("The class {name} has no threshold.", name=name))
    positive, called = data.truth == position, data.scores[:, position] >= threshold
    found, calls = int(np.sum(positive & called)), int(called.sum())
    missed, alarms = int(positive.sum()) - found, calls - found
    left = len(positive) - found - missed - alarms
    rest = data.classes[1 - position] if len(data.classes) == 2 else ""
    metrics = call_metrics(positive, called, data.patients, name, rest, data.finding)
    return Outcome(name, threshold, found, missed, alarms, left, metrics)


def at_prevalence(
    sensitivity: Estimate, specificity: Estimate, prevalence: float
) -> Forecast:
    """Predictive values where a given share of patients has the class, by Bayes.

    Sensitivity and specificity are taken to be the same there; the prevalence is taken
    as known. The interval is that of the likelihood ratio, a ratio of two independent
    shares.

    Args:
        sensitivity: As measured.
        specificity: As measured.
        prevalence: In (0, 1).

    Raises:
        DataError: The prevalence lies outside (0, 1).

    Reference: Altman and Bland, BMJ 309 (1994) 102; the interval: Donner and Zou,
    Stat. Methods Med. Res. 21 (2012) 347 (MOVER-R).
    """
    if not 0 < prevalence < 1:
        raise DataError(_("The prevalence must lie between 0 and 1, both excluded."))
    if not (sensitivity.measurable and specificity.measurable):
        raise DataError(
            _("Sensitivity and specificity could not both be measured here.")
        )
    sick = round(1000 * prevalence)
    found = round(1000 * prevalence * sensitivity.value)
    return Forecast(
        prevalence,
        _posterior(sensitivity, _complement(specificity), prevalence),
        _posterior(specificity, _complement(sensitivity), 1 - prevalence),
        found=found,
        missed=max(sick - found, 0),
        false_alarms=round(1000 * (1 - prevalence) * (1 - specificity.value)),
    )


def _choices(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Every cut that makes a difference, ascending; its sensitivity, specificity."""
    levels, number = np.unique(scores, return_inverse=True)
    inside = np.bincount(number, weights=positive)
    outside = np.bincount(number, weights=~positive)
    middles = (levels[1:] + levels[:-1]) / 2
    # The lowest cut calls every image, the highest none.
    above = np.nextafter(levels[-1], math.inf)
    cuts = np.concatenate([[levels[0]], middles, [above]])
    below = np.concatenate([[0.0], np.cumsum(inside)]) / inside.sum()
    return cuts, 1 - below, np.concatenate([[0.0], np.cumsum(outside)]) / outside.sum()


def _complement(share: Estimate) -> Estimate:
    low, high = 1 - share.high, 1 - share.low
    return Estimate(1 - share.value, low, high, share.n, share.too_few)


def _posterior(hit: Estimate, error: Estimate, prior: float) -> Estimate:
    """Share of the called that are rightly so, from rates of hits and errors."""
    if hit.value == 0 and error.value == 0:  # nobody is called
        return NOT_MEASURABLE
    value = hit.value / error.value if error.value > 0 else math.inf
    few = [rate.too_few for rate in (hit, error) if rate.too_few is not None]
    if few:
        chance, n = _chance(value, prior), hit.n + error.n
        smallest = min(few, key=lambda group: group.count)
        return Estimate(chance, math.nan, math.nan, n, smallest)
    low, high = _ratio_interval(hit, error)
    value, low, high = (_chance(ratio, prior) for ratio in (value, low, high))
    return Estimate(value, low, high, hit.n + error.n)


def _chance(ratio: float, prior: float) -> float:
    return 1.0 if math.isinf(ratio) else prior * ratio / (prior * ratio + 1 - prior)


def _ratio_interval(top: Estimate, bottom: Estimate) -> tuple[float, float]:
    # Donner and Zou 2012, equation 9; the lower end multiplied out, so that it also
    # holds where the denominator is 0.
    product = top.value * bottom.value
    lower = top.low * (2 * top.value - top.low)
    inner = product**2 - lower * bottom.high * (2 * bottom.value - bottom.high)
    below = product + math.sqrt(max(inner, 0.0))
    low = lower / below if below > 0 else 0.0
    under = bottom.low * (2 * bottom.value - bottom.low)
    if under <= 0:
        return low, math.inf
    inner = product**2 - top.high * (2 * top.value - top.high) * under
    return low, (product + math.sqrt(max(inner, 0.0))) / under
