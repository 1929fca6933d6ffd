"""The fewest images or patients with which an interval is given, and their wording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medmodel.language import _, ngettext


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

What the smallest group is, `metric_table.limiting_group` says. From these on, intervals
hold the truth 93 to 98.5 times of 100 in simulations of two to thirty classes, of rare
ones, and of patients with 1 to 5 images (benchmark row `interval_coverage`), as a mean
over populations. With fewer they do not: an area under the ROC curve of 5 images a
class 99 times, a mean sensitivity of 5 images a class 91 times, a log loss of 20 images
82 times, a temperature of 10 patients 87 times.
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


def too_few(group: LimitingGroup | str) -> str:
    """What stands in place of an interval that would not hold the truth as often."""
    return _("too few ({group})", group=str(group))


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
