"""95 % intervals: for shares, for means of shares, for areas under the ROC curve.

Images of one patient resemble each other, so a patient with ten images tells less than
ten patients with one. Where patients are known every interval here widens accordingly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medmodel.language import _, format_number, ngettext

Z = 1.959963984540054  # 97.5 % point of the standard normal distribution
_NAN = float("nan")


@dataclass(frozen=True)
class Minimum:
    """The fewest with which an interval of one kind is given.

    Args:
        images: Where patients are unknown.
        patients: Where they are known.
    """

    images: int
    patients: int


MINIMA: dict[str, Minimum] = {
    "accuracy": Minimum(10, 10),
    "sensitivity": Minimum(10, 10),
    "specificity": Minimum(10, 10),
    "ppv": Minimum(10, 10),
    "npv": Minimum(10, 10),
    "f1": Minimum(10, 10),
    "balanced_accuracy": Minimum(10, 10),
    "mcc": Minimum(10, 10),
    "auc": Minimum(10, 10),
    "average_precision": Minimum(10, 10),
    "brier": Minimum(100, 30),
    "log_loss": Minimum(200, 60),
    "calibration_error": Minimum(30, 20),
    "roc_band": Minimum(25, 20),
    "net_benefit": Minimum(10, 10),
    "temperature": Minimum(100, 40),
    "risk": Minimum(10, 10),
    "accuracy difference": Minimum(40, 40),
    "share difference": Minimum(40, 60),
    "auc difference": Minimum(30, 30),
    "average precision difference": Minimum(60, 80),
    "loss difference": Minimum(300, 100),
}
"""Kind of interval -> the fewest images or patients of the smallest group that counts.

What the smallest group is, `metrics.limiting_group` says. From these on, intervals hold
the truth 93 to 98.5 times of 100 in simulations of two to thirty classes, of rare ones,
and of patients with 1 to 5 images (benchmark row `interval_coverage`), as a mean over
populations. With fewer they do not: an area under the ROC curve of 5 images a class 99
times, a mean sensitivity of 5 images a class 91 times, a log loss of 20 images 82
times, a temperature of 10 patients 87 times.
"""


Members = Literal["all", "class", "rest", "predicted", "not predicted"]


@dataclass(frozen=True)
class LimitingGroup:
    """The smallest group of images that a number rests on: what "too few" counts.

    Args:
        count: Its patients, or its images where patients are unknown.
        of_patients: Whether patients are counted.
        members: All images, those whose true class is `name` or another one, or those
            whose predicted class is `name` or another one.
        name: The class, or finding; empty for all images.
        finding: Whether `name` is a finding, which images have or lack.
    """

    count: int
    of_patients: bool
    members: Members = "all"
    name: str = ""
    finding: bool = False

    @property
    def size(self) -> str:
        """How many they are, without what they have in common: `6 patients`."""
        if self.of_patients:
            return ngettext("{count:,} patient", "{count:,} patients", self.count)
        return ngettext("{count:,} image", "{count:,} images", self.count)

    def __str__(self) -> str:
        """As people read it: `6 patients of class pneumonia`."""
        count, name = self.count, self.name
        if self.finding:
            return self._of_finding()
        if self.members == "all":
            return self.size
        if self.members == "class":
            return (
                ngettext(
                    "{count:,} patient of class {name}",
                    "{count:,} patients of class {name}",
                    count,
                    name=name,
                )
                if self.of_patients
                else ngettext(
                    "{count:,} image of class {name}",
                    "{count:,} images of class {name}",
                    count,
                    name=name,
                )
            )
        if self.members == "rest":
            return (
                ngettext(
                    "{count:,} patient of classes other than {name}",
                    "{count:,} patients of classes other than {name}",
                    count,
                    name=name,
                )
                if self.of_patients
                else ngettext(
                    "{count:,} image of classes other than {name}",
                    "{count:,} images of classes other than {name}",
                    count,
                    name=name,
                )
            )
        return self._predicted()

    def _predicted(self) -> str:
        count, name = self.count, self.name
        if self.members == "predicted":
            return (
                ngettext(
                    "{count:,} patient with images predicted as {name}",
                    "{count:,} patients with images predicted as {name}",
                    count,
                    name=name,
                )
                if self.of_patients
                else ngettext(
                    "{count:,} image predicted as {name}",
                    "{count:,} images predicted as {name}",
                    count,
                    name=name,
                )
            )
        return (
            ngettext(
                "{count:,} patient with images predicted as other than {name}",
                "{count:,} patients with images predicted as other than {name}",
                count,
                name=name,
            )
            if self.of_patients
            else ngettext(
                "{count:,} image predicted as other than {name}",
                "{count:,} images predicted as other than {name}",
                count,
                name=name,
            )
        )

    def _of_finding(self) -> str:
        """`12 patients with images negative for nodule`: they may have others, too."""
        which = {
            "class": _("positive for {finding}", finding=self.name),
            "rest": _("negative for {finding}", finding=self.name),
            "predicted": _("predicted positive for {finding}", finding=self.name),
            "not predicted": _("predicted negative for {finding}", finding=self.name),
        }[self.members]
        return (
            ngettext(
                "{count:,} patient with images {which}",
                "{count:,} patients with images {which}",
                self.count,
                which=which,
            )
            if self.of_patients
            else ngettext(
                "{count:,} image {which}",
                "{count:,} images {which}",
                self.count,
                which=which,
            )
        )


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; not-a-number where it cannot be measured.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: How many images it rests on.
        too_few: The smallest group that counts, if that is too small for an interval,
            whose ends are then not-a-number.
    """

    value: float
    low: float
    high: float
    n: int
    too_few: LimitingGroup | None = None

    @property
    def measurable(self) -> bool:
        """Whether there was anything to measure."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    @property
    def interval(self) -> str:
        """The interval as people read it: `(0.949–0.976)`, or `too few (4 images)`."""
        if self.too_few is not None:
            return too_few(self.too_few)
        low, high = (format_number(end, ".3f") for end in (self.low, self.high))
        return f"({low}–{high})"

    @property
    def ends(self) -> tuple[float | str, float | str]:
        """Both ends as a table to take away has them."""
        if self.too_few is not None:
            return too_few(self.too_few), too_few(self.too_few)
        return self.low, self.high

    def __str__(self) -> str:
        """As people read it: `0.964 (0.949–0.976)`, `0.964, too few (4 images)`."""
        return self._text(self.interval)

    @property
    def short(self) -> str:
        """The same, with the number alone of a group that is too small."""
        return self._text(self.short_interval)

    @property
    def short_interval(self) -> str:
        """The interval, with the number alone of a group that is too small."""
        few = self.too_few
        return self.interval if few is None else too_few(f"{few.count:,}")

    @property
    def with_n(self) -> str:
        """The same with the number of images: `0.964 (0.949–0.976), n = 624 images`."""
        if not self.measurable:
            return str(self)
        return ngettext(
            "{estimate}, n = {count:,} image",
            "{estimate}, n = {count:,} images",
            self.n,
            estimate=str(self),
        )

    @property
    def beside_its_class(self) -> str:
        """`0.833, too few (6 patients), n = 24`, where the row names the class."""
        few = self.too_few
        if not self.measurable:
            return str(self)
        interval = self.interval if few is None else too_few(few.size)
        return _(
            "{estimate}, n = {count:,}", estimate=self._text(interval), count=self.n
        )

    def _text(self, interval: str) -> str:
        if not self.measurable:
            return _("not measurable")
        if self.too_few is not None:
            return _("{value:.3f}, {too_few}", value=self.value, too_few=interval)
        return f"{format_number(self.value, '.3f')} {interval}"


def too_few(group: LimitingGroup | str) -> str:
    """What stands in place of an interval that would not hold the truth as often."""
    return _("too few ({group})", group=str(group))


def where_enough(estimate: Estimate, kind: str, group: LimitingGroup) -> Estimate:
    """The estimate, without its interval where that rests on too few.

    Args:
        estimate: With its interval, unless its own images say that they are too few.
        kind: Key of `MINIMA`.
        group: The smallest one that it rests on.
    """
    if not estimate.measurable or (enough(kind, group) and estimate.has_interval):
        return estimate
    return replace(estimate, low=_NAN, high=_NAN, too_few=group)


def enough(kind: str, group: LimitingGroup) -> bool:
    """Whether an interval is given; takes the arguments of `where_enough`."""
    least = MINIMA[kind]
    return group.count >= (least.patients if group.of_patients else least.images)


def count_units(
    group: NDArray[np.bool_] | None, patients: NDArray[np.intp] | None, n: int = 0
) -> int:
    """Patients of a group of images; its images where patients are unknown.

    Args:
        group: Whether each image belongs to it, shape `(n,)`; None for all images.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        n: Images in all, where both are None.
    """
    if patients is None:
        return n if group is None else int(np.count_nonzero(group))
    counts = np.bincount(patients if group is None else patients[group])
    return int(np.count_nonzero(counts))


def all_images(patients: NDArray[np.intp] | None, n: int) -> LimitingGroup:
    """All `n` images as the group that a number rests on; their patients if known."""
    return LimitingGroup(count_units(None, patients, n), patients is not None)


NOT_MEASURABLE = Estimate(_NAN, _NAN, _NAN, 0)


def wilson(successes: int, n: int, design_effect: float = 1.0) -> Estimate:
    """A share with Wilson's score interval.

    Args:
        successes: 0 to `n`.
        n: Number of images; 0 gives an estimate that is not measurable.
        design_effect: How many dependent images count as one independent one, at
            least 1; see `design_effect`.

    Reference: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; that it holds the truth 95
    times of 100 as a mean over shares, and for single ones a little more or less often:
    Brown, Cai and DasGupta, Statistical Science 16 (2001) 101.
    """
    if n == 0:
        return NOT_MEASURABLE
    interval = wilson_at(successes / n, n / design_effect)
    return Estimate(interval.value, interval.low, interval.high, n)


def wilson_at(share: float, n: float) -> Estimate:
    """Wilson's interval of a share that rests on as much as `n` independent images.

    Args:
        share: In [0, 1].
        n: Above 0; need not be whole.
    """
    scale = 1 + Z**2 / n
    centre = (share + Z**2 / (2 * n)) / scale
    half = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2) / scale
    # Rounding must not push the ends beyond what they mathematically are.
    low = 0.0 if share == 0 else centre - half
    high = 1.0 if share == 1 else centre + half
    return Estimate(share, low, high, math.floor(n))


def proportion(
    hits: NDArray[np.bool_],
    patients: NDArray[np.intp] | None,
    among: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Share of images with a property; Wilson's interval, patients kept together.

    Args:
        hits: Whether each image has the property, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        among: The images that count, shape `(n,)`; None for all.
    """
    if among is not None:
        hits = hits[among]
        patients = None if patients is None else patients[among]
    n, right = len(hits), int(hits.sum())
    if n == 0:
        return NOT_MEASURABLE
    return wilson(right, n, design_effect(hits - right / n, patients))


def variance_and_freedom(
    influence: NDArray[np.floating], patients: NDArray[np.intp] | None
) -> tuple[float, float]:
    """Variance of an estimate, and on how many degrees of freedom it rests.

    A variance that rests on few patients, or on few images that matter, is itself
    uncertain. The degrees of freedom are those that Satterthwaite (Biometrics Bulletin
    2 (1946) 110) would give a sum of squares with the fourth moment seen here.

    Args:
        influence: What each image adds to the estimate's error, shape `(n,)`; sums
            to 0.
        patients: Patient number of each image, shape `(n,)`; None if unknown.

    Returns:
        Variance, infinite where there is one patient or one image; degrees of
        freedom, at least 1.
    """
    sums: NDArray[np.floating] = influence
    factor = 1.0
    if patients is not None:
        # Numbers without an image are no patients: they were filtered out.
        occurring = np.bincount(patients) > 0
        sums = np.bincount(patients, weights=influence).astype(np.float64)[occurring]
        factor = len(sums) / max(len(sums) - 1, 1)
    if len(sums) < 2:
        return math.inf, 1.0
    squares = sums**2
    total, count = float(squares.sum()), len(sums)
    excess = float(np.sum(squares**2)) - total**2 / max(count, 1)
    freedom = count - 1.0
    if excess > 1e-9 * total**2:
        freedom = min(freedom, 2 * total**2 / excess)
    return factor * total, max(freedom, 1.0)


def variance_and_quantile(
    influence: NDArray[np.floating],
    patients: NDArray[np.intp] | None,
    least: float = 1.0,
) -> tuple[float, float]:
    """Variance of an estimate, and the quantile that turns its root into 95 %.

    The quantile is Student's instead of the normal one, with the degrees of freedom
    of `variance_and_freedom`, `least` at least; takes the same arguments.
    """
    from scipy.special import stdtrit

    variance, freedom = variance_and_freedom(influence, patients)
    return variance, float(stdtrit(max(freedom, least), 0.975))


def design_effect(
    influence: NDArray[np.floating],
    patients: NDArray[np.intp] | None,
    weights: NDArray[np.floating] | None = None,
) -> float:
    """How many images of the same patients tell as much as one independent image.

    Variance with patients kept together ÷ variance as if images were independent,
    enlarged where it rests on few patients (see `variance_and_quantile`), but not
    beyond what copies of one image would give: who has one image only is independent
    of all others.

    Args:
        influence: What each image adds to the estimate's error, shape `(n,)`; sums
            to 0.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        weights: What each image counts in the estimate, shape `(n,)`; all alike by
            default.

    Returns:
        At least 1. Where all images agree, so that nothing can be estimated, and
        where there is one patient only, the images of a patient count as copies of
        one.

    Reference: Kish, Survey Sampling (1965), 8.2; Rao and Scott, Biometrics 48 (1992);
    few patients: Korn and Graubard, Survey Methodology 24 (1998) 193.
    """
    if patients is None or len(influence) == 0:
        return 1.0
    if weights is None:
        weights = np.ones(len(influence))
    sizes = np.bincount(patients, weights=weights)
    copies = float(np.sum(sizes**2) / np.sum(weights**2))
    independent = float(np.sum(influence**2))
    variance, quantile = variance_and_quantile(influence, patients)
    if independent < 1e-15 or math.isinf(variance):
        return copies
    seen = max(1.0, variance / independent)
    return max(seen, min(seen * (quantile / Z) ** 2, copies))


def mean_of_proportions(shares: list[Estimate], n: int) -> Estimate:
    """The plain mean of independent shares, with an interval made from theirs.

    Unlike a bootstrap it does not shrink to a point where every share is 0 or 1. A mean
    of Wilson's intervals of 10 images each holds the truth 93 times of 100, as each is
    short on one side; with Student's quantile in place of the normal one, 95 to 96.

    Reference: MOVER; Zou and Donner, Statistics in Medicine 27 (2008) 1693.
    """
    from scipy.special import stdtrit

    measured = [share for share in shares if share.measurable]
    if not measured:
        return NOT_MEASURABLE
    mean = sum(share.value for share in measured) / len(measured)
    wider = [float(stdtrit(max(s.n - 1, 1), 0.975)) / Z for s in measured]
    pairs = list(zip(measured, wider, strict=True))
    below = math.sqrt(sum((w * (s.value - s.low)) ** 2 for s, w in pairs))
    above = math.sqrt(sum((w * (s.high - s.value)) ** 2 for s, w in pairs))
    # The mean of many is less lopsided than each of them, as any mean is; with their
    # own sides that of 40 shares of 97 % held the truth 88 times of 100.
    even, root = (below + above) / 2, math.sqrt(len(measured))
    below, above = (even + (side - even) / root for side in (below, above))
    below, above = below / len(measured), above / len(measured)
    return Estimate(mean, max(0.0, mean - below), min(1.0, mean + above), n)
