"""Metrics by group, and whether the worst gap between groups is more than chance.

Of each attribute and metric the largest difference between two groups is tested by
permutation: groups are dealt anew among the images, patients kept together, and the gap
counted that chance alone makes. All tests together are corrected by Holm's method.

References: Edgington and Onghena, Randomization Tests, 4th ed. (2007); p values never
0: Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.comparison.paired_tests import holm
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions, subset
from medmodel.language import N_, _, ngettext

TESTED = ("accuracy", "sensitivity", "specificity")
"""Metrics whose gap is tested; the last two of a class against the rest."""
SHOWN = (*TESTED, "auc")
NOT_STATED = N_("not stated")
SIGNIFICANT = 0.05
_DEALS = 2000
_SEED = 0


@dataclass(frozen=True)
class GroupResult:
    """What one group of test images got.

    Args:
        name: Its name; "" for images of which the attribute is not stated.
        images: How many.
        patients: Theirs; 0 where patients are not known.
        metrics: Key of `SHOWN` -> estimate; without an interval where n is too small.
    """

    name: str
    images: int
    patients: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Gap:
    """The largest difference of a metric between two groups of an attribute.

    Args:
        attribute: Title.
        metric: Key of `TESTED`.
        best: Name of the group with the highest value.
        worst: Name of that with the lowest.
        value: Their difference, 0 to 1.
        p: Corrected by Holm's method for all gaps that were tested.
        tests: How many were.
    """

    attribute: str
    metric: str
    best: str
    worst: str
    value: float
    p: float
    tests: int = 1

    @property
    def significant(self) -> bool:
        """Whether chance alone would hardly make such a gap."""
        return self.p <= SIGNIFICANT

    def __str__(self) -> str:
        """The sentence."""
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3g}"
        values = {
            "metric": _(METRICS[self.metric].title),
            "attribute": self.attribute,
            "best": self.best,
            "worst": self.worst,
            "points": 100 * self.value,
            "p": p if self.tests < 2 else _("{p}, corrected by Holm", p=p),
        }
        if self.significant:
            return _(
                "{attribute}: {metric} differs by {points:.1f} percentage points, "
                "lowest for {worst}, highest for {best} ({p}).",
                **values,
            )
        return _(
            "{attribute}: {metric} differs by {points:.1f} percentage points between "
            "{worst} and {best}: no significant difference ({p}).",
            **values,
        )


@dataclass(frozen=True)
class GroupComparison:
    """Metrics of the groups of every attribute.

    Args:
        position: Of the class that sensitivity, specificity and AUC are about; None
            where there is none: then accuracy and the mean AUC alone are measured.
        results: Title of each attribute -> its groups, those not stated last.
        gaps: The worst gap of each attribute and metric that could be tested, the
            smallest p value first.
    """

    position: int | None
    results: Mapping[str, Sequence[GroupResult]]
    gaps: Sequence[Gap]

    @property
    def verdict(self) -> str:
        """What the tests say, as a sentence."""
        if not self.gaps:
            return _("No attribute has two groups with enough images to be compared.")
        worst = self.gaps[0]
        if worst.significant:
            return str(worst)
        return ngettext(
            "No significant difference between groups: {count} gap tested. A gap in "
            "few images may go unnoticed.",
            "No significant difference between groups: {count} gaps tested, corrected "
            "by Holm. A gap in few images may go unnoticed.",
            len(self.gaps),
        )


def compare_groups(
    data: Predictions, groups: Mapping[str, Sequence[str]], position: int | None
) -> GroupComparison:
    """Metrics by group, and the tests of the worst gaps.

    Args:
        data: The test images.
        groups: Title of each attribute -> group of each image, "" where not stated.
        position: Of the class that counts as positive; None where none does.
    """
    results = {
        title: _results(data, np.array(names, object), position)
        for title, names in groups.items()
    }
    gaps = []
    for title, names in groups.items():
        of_images = np.array(names, object)
        for key in TESTED[: 1 if position is None else None]:
            gap = _gap(data, of_images, position, key, results[title])
            if gap is not None:
                gaps.append(replace(gap, attribute=title))
    adjusted = holm([gap.p for gap in gaps])
    corrected = [
        replace(gap, p=p, tests=len(gaps))
        for gap, p in zip(gaps, adjusted, strict=True)
    ]
    corrected.sort(key=lambda gap: (gap.p, -gap.value))
    return GroupComparison(position, results, corrected)


def _results(
    data: Predictions, names: NDArray[np.object_], position: int | None
) -> list[GroupResult]:
    present = sorted(set(names), key=_order)
    results = []
    for name in present:
        part = subset(data, names == name)
        metrics = {
            key: METRICS[key].estimate(part, None if key == "accuracy" else position)
            for key in (SHOWN if position is not None else ("accuracy", "auc"))
        }
        n, patients = len(part.truth), part.patient_count
        results.append(GroupResult(str(name), n, patients, metrics))
    return results


def _order(name: str) -> tuple[bool, float, str]:
    """Bands and numbers by their lower end, those not stated last."""
    first = name.split("–")[0].split(" ")[0].lstrip("≥")
    try:
        return not name, float(first or "inf"), name
    except ValueError:
        return not name, float("inf"), name


def _gap(
    data: Predictions,
    names: NDArray[np.object_],
    position: int | None,
    key: str,
    results: Sequence[GroupResult],
) -> Gap | None:
    """The worst gap of a metric, its p value uncorrected; None without two groups."""
    enough = [r for r in results if r.name and r.metrics[key].has_interval]
    if len(enough) < 2:
        return None
    counted = np.isin(names, [r.name for r in enough])
    if key == "sensitivity":
        counted &= data.truth == position
    elif key == "specificity":
        counted &= data.truth != position
    called = data.predicted == position
    right = (
        data.predicted == data.truth
        if key == "accuracy"
        else called == (data.truth == position)
    )
    patients = None if data.patients is None else data.patients[counted]
    p = _permuted_p(right[counted], names[counted], patients)
    best, worst = (
        choose(enough, key=lambda r: r.metrics[key].value) for choose in (max, min)
    )
    value = best.metrics[key].value - worst.metrics[key].value
    return Gap("", key, best.name, worst.name, value, p)


def _permuted_p(
    right: NDArray[np.bool_],
    names: NDArray[np.object_],
    patients: NDArray[np.intp] | None,
) -> float:
    """Share of dealings whose worst gap is at least that of the groups as they are.

    Who has all images in one group is dealt with all of them, among such patients;
    groups of a patient who has several are dealt among the images of that patient.
    """
    groups = np.unique(names.astype(str), return_inverse=True)[1]
    count = int(groups.max()) + 1
    seen = _largest_gap(right, groups, count)
    deal, hits = _dealer(groups, patients), 0
    for _number in range(_DEALS):
        hits += _largest_gap(right, deal(), count) >= seen - 1e-12
    return (hits + 1) / (_DEALS + 1)


def _dealer(
    groups: NDArray[np.intp], patients: NDArray[np.intp] | None
) -> Callable[[], NDArray[np.intp]]:
    """Deals groups anew among the images at each call, see `_permuted_p`."""
    rng = np.random.default_rng(_SEED)
    if patients is None:
        return lambda: rng.permutation(groups)
    numbers, of_images = np.unique(patients, return_inverse=True)
    first = np.zeros(len(numbers), np.intp)
    first[of_images] = groups
    whole = np.bincount(of_images, first[of_images] != groups) == 0
    parted = np.flatnonzero(~whole[of_images])
    place = parted[np.argsort(of_images[parted], kind="stable")]

    def deal() -> NDArray[np.intp]:
        of_patients = first.copy()
        of_patients[whole] = rng.permutation(first[whole])
        dealt = of_patients[of_images]
        # Sorted by patient, then at random: each patient's groups in another order.
        order = np.lexsort((rng.random(len(parted)), of_images[parted]))
        dealt[place] = groups[parted[order]]
        return dealt

    return deal


def _largest_gap(
    right: NDArray[np.bool_], groups: NDArray[np.intp], count: int
) -> float:
    images = np.bincount(groups, minlength=count)
    rates = np.bincount(groups, weights=right, minlength=count) / np.maximum(images, 1)
    rates = rates[images > 0]
    return float(rates.max() - rates.min())
