"""The evaluation of a split: accuracy, areas, confusion matrix, class by class.

Every number comes with its 95 % interval and the n that it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals.estimate import NOT_MEASURABLE, Estimate
from medmodel.evaluation.intervals.minima import MINIMA, LimitingGroup, enough
from medmodel.evaluation.intervals.proportions import proportion
from medmodel.evaluation.intervals.variance import Z, design_effect
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.metrics.ranking_metrics import (
    ClassArea,
    class_areas,
    macro_auc,
)
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import _, ngettext

if TYPE_CHECKING:
    import pandas as pd

_FEWEST_CHANGES = 6
"""Images that one model must have right and the other wrong, and none the other way,
for McNemar's exact test to be below 5 %: 2 / 2 ** 6 is 3 %, 2 / 2 ** 5 is 6 %."""


@dataclass(frozen=True)
class ClassResult:
    """What one class got.

    Args:
        name: The class.
        images: Images of this class in the split.
        predicted: Images for which it was the predicted class.
        sensitivity: Share of its images that were recognised (recall).
        precision: Share of those called so that are so (positive predictive value).
        auc: Area under the ROC curve, this class against the rest.
    """

    name: str
    images: int
    predicted: int
    sensitivity: Estimate
    precision: Estimate
    auc: Estimate


@dataclass(frozen=True)
class Evaluation:
    """One split of one run in numbers.

    Args:
        split: `"test"` or `"val"`.
        images: Images in the split.
        patients: Patients in the split; 0 if unknown.
        accuracy: Proportion of images whose predicted class is the true class.
        balanced_accuracy: Mean sensitivity of the classes that occur.
        auc: Mean of the classes' one-against-rest areas under the ROC curve.
        baseline: Share that always guessing one of `majority` gets right. The report
            of a data set has that of the commonest training class, often the same one.
        majority: The class with most images in the split; all of them where several
            have equally many.
        per_class: One result per class, in the model's order.
        confusion: Counts, shape `(classes, classes)`; rows labels, columns choices.
        smallest_difference: A difference between two models' accuracies that this
            many images can just tell from chance, as a fraction.
        tied: Images that have their highest score for several classes, where no
            threshold decides: the first of these classes counts as predicted.
    """

    split: str
    images: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    auc: Estimate
    baseline: Estimate
    majority: list[str]
    per_class: list[ClassResult]
    confusion: NDArray[np.int64]
    smallest_difference: float
    tied: int = 0

    @property
    def classes(self) -> list[str]:
        """The classes in the model's order."""
        return [result.name for result in self.per_class]

    @property
    def baseline_name(self) -> str:
        """What `baseline` is the accuracy of, in words."""
        first, *others = self.majority
        if not others:
            return _(
                "Baseline (majority class {majority} of the test images)",
                majority=first,
            )
        if len(others) == 1:
            return _(
                "Baseline (always {first} or always {second}: equally many test "
                "images)",
                first=first,
                second=others[0],
            )
        return _(
            "Baseline (always one of {count:,} classes with equally many test images, "
            "{first} among them)",
            count=len(self.majority),
            first=first,
        )

    @property
    def baseline_sentence(self) -> str:
        """What a model must beat, as a sentence."""
        return _(
            "{baseline}: accuracy {accuracy}.",
            baseline=self.baseline_name,
            accuracy=self.baseline,
        )

    @property
    def ties(self) -> str:
        """How many predicted classes the order of the classes decided, as a sentence.

        Empty where it decided none.
        """
        if not self.tied:
            return ""
        return ngettext(
            "{count:,} of {images:,} test images has its highest score for several "
            "classes: the first of these counts as its predicted class.",
            "{count:,} of {images:,} test images have their highest score for several "
            "classes: the first of these counts as the predicted class.",
            self.tied,
            images=self.images,
        )

    @property
    def resolution(self) -> str:
        """What n allows, as a sentence."""
        units = LimitingGroup(self.patients or self.images, self.patients > 0)
        if not enough("accuracy difference", units):
            least = MINIMA["accuracy difference"]
            return _(
                "Too few to tell the accuracies of two models apart: {group}; {least} "
                "are the least.",
                group=units,
                least=least.patients if self.patients else least.images,
            )
        points = self.smallest_difference * 100
        shown = f"{math.ceil(points)}" if points >= 1 else f"{points:.1f}"
        if shown == "1":
            return _(
                "Smallest detectable difference ≈ 1 percentage point (n = {images:,} "
                "images).",
                images=self.images,
            )
        return _(
            "Smallest detectable difference ≈ {points} percentage points (n = "
            "{images:,} images).",
            points=shown,
            images=self.images,
        )


def evaluate(table: pd.DataFrame, split: str = "test") -> Evaluation:
    """All numbers of one split.

    Args:
        table: As from `read_predictions`.
        split: `"test"` or `"val"`.

    Raises:
        DataError: The split is empty or does not fit the score columns.
    """
    return evaluate_predictions(split_predictions(table, split), split)


def evaluate_predictions(data: Predictions, split: str = "test") -> Evaluation:
    """All numbers of one split, or of a part of it.

    Raises:
        DataError: There is no image.
    """
    if not len(data.truth):
        raise DataError(_("There is no such image: nothing can be measured."))
    areas = class_areas(data)
    confusion = confusion_matrix(data)
    hits = data.predicted == data.truth
    counts = confusion.sum(axis=1)
    majority = np.flatnonzero(counts == counts.max())
    return Evaluation(
        split=split,
        images=len(data.truth),
        patients=data.patient_count,
        accuracy=METRICS["accuracy"].estimate(data),
        balanced_accuracy=METRICS["balanced_accuracy"].estimate(data),
        auc=METRICS["auc"].where_enough(macro_auc(data, areas), data),
        baseline=METRICS["accuracy"].where_enough(
            proportion(data.truth == majority[0], data.patients), data
        ),
        majority=[data.classes[at] for at in majority],
        per_class=class_results(data, areas),
        confusion=confusion,
        smallest_difference=_smallest_difference(hits, data.patients),
        tied=0 if data.choices is not None else _count_ties(data.scores),
    )


def _count_ties(scores: NDArray[np.float64]) -> int:
    """Rows in which the highest score occurs more than once."""
    highest = scores == scores.max(axis=1, keepdims=True)
    return int((highest.sum(axis=1) > 1).sum())


def confusion_matrix(data: Predictions) -> NDArray[np.int64]:
    """Counts, shape `(classes, classes)`; rows true classes, columns predicted ones."""
    k = len(data.classes)
    cells = np.bincount(data.truth * k + data.predicted, minlength=k * k)
    return cells.reshape(k, k).astype(np.int64)


def class_results(
    data: Predictions, areas: Sequence[ClassArea | None]
) -> list[ClassResult]:
    """Sensitivity, precision and area of every class, in the model's order."""
    return [_class_result(data, at, area) for at, area in enumerate(areas)]


def _class_result(
    data: Predictions, position: int, area: ClassArea | None
) -> ClassResult:
    positive, called = data.truth == position, data.predicted == position
    return ClassResult(
        name=data.classes[position],
        images=int(positive.sum()),
        predicted=int(called.sum()),
        sensitivity=METRICS["sensitivity"].estimate(data, position),
        precision=METRICS["ppv"].estimate(data, position),
        auc=METRICS["auc"].where_enough(
            area.estimate(data.patients) if area else NOT_MEASURABLE, data, position
        ),
    )


def _smallest_difference(
    hits: NDArray[np.bool_], patients: NDArray[np.intp] | None
) -> float:
    """Half width of the interval of a difference between two such accuracies.

    Two successes and two failures are added (Agresti and Coull 1998), so that a
    perfect accuracy does not seem to resolve everything. Nor does any test call a
    difference of fewer than `_FEWEST_CHANGES` images significant.
    """
    effect = design_effect(hits - float(hits.mean()), patients)
    n = len(hits) / effect
    share = (hits.mean() * n + 2) / (n + 4)
    half_width = Z * math.sqrt(2 * share * (1 - share) / n)
    return max(half_width, _FEWEST_CHANGES / len(hits))
