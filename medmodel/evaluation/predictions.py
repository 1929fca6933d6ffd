"""How good a run is, as pure functions of its predictions table; no TensorFlow.

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
from medmodel.core.samples import patient_stand_in
from medmodel.evaluation.intervals import (
    NOT_MEASURABLE,
    STEADY,
    Estimate,
    Z,
    auc_components,
    auc_estimate,
    design_effect,
    mean_of_proportions,
    proportion,
    shrunk_influence,
    wilson,
)
from medmodel.runs.run import Run
from medmodel.runs.tables import read_split, score_array, scored_classes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """One split's predictions as arrays.

    Args:
        classes: Class of each score column.
        truth: Position of each image's label in `classes`, shape `(n,)`.
        scores: Shape `(n, classes)`.
        patients: Patient number of each image, shape `(n,)`; None where patients are
            not known for every image.
    """

    classes: list[str]
    truth: NDArray[np.intp]
    scores: NDArray[np.float64]
    patients: NDArray[np.intp] | None

    @property
    def predicted(self) -> NDArray[np.intp]:
        """Position of the highest score, shape `(n,)`; the first of equal ones."""
        return np.argmax(self.scores, axis=1)

    @property
    def patient_count(self) -> int:
        """Number of patients; 0 if unknown."""
        return 0 if self.patients is None else len(np.unique(self.patients))


@dataclass(frozen=True)
class ClassResult:
    """What one class got.

    Args:
        name: The class.
        images: Images of this class in the split.
        predicted: Images for which it was the model's first choice.
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
        return auc_estimate(self.area, self.influence, patients, self.rarest, STEADY)


@dataclass(frozen=True)
class Evaluation:
    """One split of one run in numbers.

    Args:
        split: `"test"` or `"val"`.
        images: Images in the split.
        patients: Patients in the split; 0 if unknown.
        accuracy: Share of images whose label was the first choice.
        balanced_accuracy: Mean sensitivity of the classes that occur.
        auc: Mean of the classes' one-against-rest areas under the ROC curve.
        baseline: Share that always guessing `majority` gets right.
        majority: The class with most images in the split.
        per_class: One result per class, in the model's order.
        confusion: Counts, shape `(classes, classes)`; rows labels, columns choices.
        smallest_difference: A difference between two models' accuracies that this
            many images can just tell from chance, as a fraction.
    """

    split: str
    images: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    auc: Estimate
    baseline: Estimate
    majority: str
    per_class: list[ClassResult]
    confusion: NDArray[np.int64]
    smallest_difference: float

    @property
    def classes(self) -> list[str]:
        """The classes in the model's order."""
        return [result.name for result in self.per_class]

    @property
    def absent(self) -> list[str]:
        """Classes without an image in this split: nothing can be said of them."""
        return [result.name for result in self.per_class if result.images == 0]

    @property
    def resolution(self) -> str:
        """What n allows, as a sentence."""
        points = self.smallest_difference * 100
        shown = f"{math.ceil(points)}" if points >= 1 else f"{points:.1f}"
        unit = "point" if shown == "1" else "points"
        return f"n = {self.images:,}: differences under {shown} {unit} cannot be seen."


def shared_patients(run: Run) -> int | None:
    """How many test patients also occur in training or validation.

    Returns:
        None where the patient of some image is not known; a volume that stands for
        its patient says nothing of others of the same person.

    Raises:
        RunError: The run has no split.csv.
    """
    table = read_split(run)
    names = ["path", "patient", "split"]
    paths, patients, splits = (table[name].tolist() for name in names)
    known: dict[bool, set[str]] = {True: set(), False: set()}
    for path, patient, split in zip(paths, patients, splits, strict=True):
        # Most paths are ruled out before anybody looks for a slice's number in them.
        if path.startswith(patient) and (
            not patient or patient_stand_in(path) == patient
        ):
            return None
        known[split == "test"].add(patient)
    return len(known[True] & known[False])


def training_digests(run: Run) -> dict[str, str]:
    """Digest of the pixels -> split, of all images that the training looked at.

    Empty for runs of versions that did not write digests.
    """
    if not run.split_path.exists():
        return {}
    table = read_split(run)
    if "digest" not in table:
        return {}
    # What was trained on and validated with was trained on.
    known = table[table["split"].isin(["train", "val"])].sort_values("split")
    return dict(zip(known["digest"][::-1], known["split"][::-1], strict=True))


def split_predictions(table: pd.DataFrame, split: str) -> Predictions:
    """One split of a predictions table as arrays.

    Raises:
        DataError: The split has no image, a label has no score column, or a score is
            not a number.
    """
    rows = table[table["split"] == split]
    if rows.empty:
        raise DataError(f"There is no image in the split {split!r}.")
    classes = scored_classes(table)
    position = {name: index for index, name in enumerate(classes)}
    unknown = sorted(set(rows["label"]) - set(classes))
    if unknown:
        raise DataError(f"The label {unknown[0]!r} is not a class of this model.")
    scores = score_array(rows, classes)
    if not np.isfinite(scores).all():
        raise DataError("A score is not a number: the model cannot be evaluated.")
    truth = np.array([position[label] for label in rows["label"]], np.intp)
    return Predictions(classes, truth, scores, _patient_numbers(rows["patient"]))


def subset(data: Predictions, kept: NDArray[np.bool_]) -> Predictions:
    """Some images of a split.

    Args:
        data: The split.
        kept: Which of its images, shape `(n,)`.
    """
    patients = None if data.patients is None else _renumbered(data.patients[kept])
    return Predictions(data.classes, data.truth[kept], data.scores[kept], patients)


def evaluate(table: pd.DataFrame, split: str = "test") -> Evaluation:
    """All numbers of one split.

    Args:
        table: As from `tables.read_predictions`.
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
        raise DataError("There is no such image: nothing can be measured.")
    areas = class_areas(data)
    confusion = confusion_matrix(data)
    hits = data.predicted == data.truth
    majority = int(confusion.sum(axis=1).argmax())
    return Evaluation(
        split=split,
        images=len(data.truth),
        patients=data.patient_count,
        accuracy=proportion(hits, data.patients),
        balanced_accuracy=balanced_accuracy(data),
        auc=macro_auc(data, areas),
        baseline=proportion(data.truth == majority, data.patients),
        majority=data.classes[majority],
        per_class=class_results(data, areas),
        confusion=confusion,
        smallest_difference=_smallest_difference(hits, data.patients),
    )


def confusion_matrix(data: Predictions) -> NDArray[np.int64]:
    """Counts, shape `(classes, classes)`; rows are labels, columns first choices."""
    k = len(data.classes)
    cells = np.bincount(data.truth * k + data.predicted, minlength=k * k)
    return cells.reshape(k, k).astype(np.int64)


def balanced_accuracy(data: Predictions) -> Estimate:
    """Mean sensitivity of the classes that occur in the split."""
    n, hits = len(data.truth), data.predicted == data.truth
    counts = np.bincount(data.truth, minlength=len(data.classes))
    right = np.bincount(data.truth[hits], minlength=len(data.classes))
    with np.errstate(invalid="ignore"):
        shares = right / counts
    weights = 1 / counts[data.truth]
    influence = (hits - shares[data.truth]) * weights
    effect = design_effect(influence, data.patients, weights)
    parts = [wilson(int(r), int(c), effect) for r, c in zip(right, counts, strict=True)]
    return mean_of_proportions(parts, n)


def class_areas(data: Predictions) -> list[ClassArea | None]:
    """Each class's one-against-rest area; None where it or the rest is absent."""
    return [class_area(data, position) for position in range(len(data.classes))]


def macro_auc(data: Predictions, areas: Sequence[ClassArea | None]) -> Estimate:
    """Mean one-against-rest area of the classes that occur; two classes: the area."""
    measured = [area for area in areas if area is not None]
    if not measured:
        return NOT_MEASURABLE
    mean = sum(area.area for area in measured) / len(measured)
    influence = np.mean([area.influence for area in measured], axis=0)
    rarest = min(area.rarest for area in measured)
    return ClassArea(mean, influence, rarest).estimate(data.patients)


def class_results(
    data: Predictions, areas: Sequence[ClassArea | None]
) -> list[ClassResult]:
    """Sensitivity, precision and area of every class, in the model's order."""
    return [_class_result(data, at, area) for at, area in enumerate(areas)]


def class_area(data: Predictions, position: int) -> ClassArea | None:
    """One class's area against the rest; None where it or the rest is absent."""
    positive = data.truth == position
    inside, outside = int(positive.sum()), int((~positive).sum())
    if not inside or not outside:
        return None
    area, influence = auc_components(positive, data.scores[:, position])
    steady = shrunk_influence(positive, area, influence, data.patients)
    return ClassArea(area, steady, min(inside, outside))


def _class_result(
    data: Predictions, position: int, area: ClassArea | None
) -> ClassResult:
    positive, called = data.truth == position, data.predicted == position
    return ClassResult(
        name=data.classes[position],
        images=int(positive.sum()),
        predicted=int(called.sum()),
        sensitivity=proportion(called, data.patients, among=positive),
        precision=proportion(positive, data.patients, among=called),
        auc=area.estimate(data.patients) if area else NOT_MEASURABLE,
    )


def _smallest_difference(
    hits: NDArray[np.bool_], patients: NDArray[np.intp] | None
) -> float:
    """Half width of the interval of a difference between two such accuracies.

    Two successes and two failures are added (Agresti and Coull 1998), so that a
    perfect accuracy does not seem to resolve everything.
    """
    effect = design_effect(hits - float(hits.mean()), patients)
    n = len(hits) / effect
    share = (hits.mean() * n + 2) / (n + 4)
    return Z * math.sqrt(2 * share * (1 - share) / n)


def _patient_numbers(patients: pd.Series) -> NDArray[np.intp] | None:
    if (patients == "").any():
        return None
    return _renumbered(patients.to_numpy(str))


def _renumbered(values: NDArray[np.generic]) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1].reshape(-1)
