"""A run's predictions table as arrays: labels, scores, patients."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.core.samples import patient_stand_in
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import PREDICTED, score_array, scored_classes
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd

_SUM_ROUNDING = 1e-4
"""How far the scores of an image may sum to other than 1, to be ranked by log-odds: of
scores that were rounded, the others' sum says nothing about one of them."""
_DECIMALS = 9
"""Of log-odds: beyond lies the noise of arithmetic, which must part no equal scores."""
_SMALLEST = 1e-300
"""In place of a score of 0, whose logarithm would be infinite."""

Weights = NDArray[np.float64]
"""How much each image counts in each of several resampled tables, shape `(b, n)`."""


@dataclass(frozen=True)
class Predictions:
    """One split's predictions as arrays.

    Args:
        classes: Class of each score column.
        truth: Position of each image's label in `classes`, shape `(n,)`.
        scores: Shape `(n, classes)`.
        patients: Patient number of each image, shape `(n,)`; None where patients are
            not known for every image.
        choices: Position of each image's predicted class, shape `(n,)`, where a
            threshold decides; None where the highest score does.
        finding: Whether the second of two classes is a finding, the first its absence.
    """

    classes: list[str]
    truth: NDArray[np.intp]
    scores: NDArray[np.float64]
    patients: NDArray[np.intp] | None
    choices: NDArray[np.intp] | None = None
    finding: bool = False

    @functools.cached_property
    def predicted(self) -> NDArray[np.intp]:
        """Position of the predicted class, shape `(n,)`.

        Without a threshold that of the highest score; the first of equal ones.
        """
        return np.argmax(self.scores, axis=1) if self.choices is None else self.choices

    @functools.cached_property
    def log_odds(self) -> NDArray[np.float64]:
        """What images are ranked by for each class, ascending, shape `(n, classes)`.

        A softmax in single precision is 1 for all images that a network is sure of,
        while the other classes' scores still differ. The log-odds of a class is
        therefore the logarithm of its score ÷ the sum of the others' scores: the order
        of its logits, and of two classes exactly the one's order turned round. Scores
        that do not sum to 1 for each image are ranked as they are.
        """
        if np.abs(self.scores.sum(axis=1) - 1).max(initial=0) > _SUM_ROUNDING:
            return self.scores
        others = 1 - np.eye(len(self.classes))
        inside, outside = (
            np.log(np.maximum(scores, _SMALLEST))
            for scores in (self.scores, self.scores @ others)
        )
        return np.round(inside - outside, _DECIMALS)

    @property
    def patient_count(self) -> int:
        """Number of patients; 0 if unknown."""
        return 0 if self.patients is None else len(np.unique(self.patients))


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
    by_side: dict[bool, set[str]] = {True: set(), False: set()}
    for path, patient, split in zip(paths, patients, splits, strict=True):
        # Most paths are ruled out before anybody looks for a slice's number in them.
        if path.startswith(patient) and (
            not patient or patient_stand_in(path) == patient
        ):
            return None
        by_side[split == "test"].add(patient)
    return len(by_side[True] & by_side[False])


def training_digests(run: Run) -> dict[str, str]:
    """Digest of the pixels -> split, of all images that the training looked at.

    Empty for runs of versions that did not write digests.

    Raises:
        RunError: The run has no split.csv, or it is damaged.
    """
    table = read_split(run)
    if "digest" not in table:
        return {}
    # What was trained on and validated with was trained on.
    learned = table[table["split"].isin(["train", "val"])].sort_values("split")
    return dict(zip(learned["digest"][::-1], learned["split"][::-1], strict=True))


def split_rows(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Those rows of a table of answers that are of one split.

    Args:
        table: With a column `split`.
        split: `"val"` or `"test"`.

    Raises:
        DataError: The split has no image.
    """
    rows = table[table["split"] == split]
    if rows.empty:
        raise DataError(
            _("There is no validation image.")
            if split == "val"
            else _("There is no test image.")
        )
    return rows


def split_predictions(table: pd.DataFrame, split: str) -> Predictions:
    """One split of a predictions table as arrays.

    Raises:
        DataError: The split has no image, a label has no score column, or a score is
            not a number.
    """
    rows = split_rows(table, split)
    classes = scored_classes(table)
    position = {name: index for index, name in enumerate(classes)}
    unknown = sorted(set(rows["label"]) - set(classes))
    if unknown:
        raise DataError(
            _("The label {label!r} is not a class of this model.", label=unknown[0])
        )
    scores = score_array(rows, classes)
    if not np.isfinite(scores).all():
        raise DataError(_("A score is not a number: the model cannot be evaluated."))
    truth = np.array([position[label] for label in rows["label"]], np.intp)
    choices = _choices(rows, position, scores)
    patients = patient_numbers(rows["patient"])
    return Predictions(classes, truth, scores, patients, choices)


def subset(data: Predictions, selected: NDArray[np.bool_]) -> Predictions:
    """Some images of a split.

    Args:
        data: The split.
        selected: Which of its images, shape `(n,)`.
    """
    patients = None if data.patients is None else _renumbered(data.patients[selected])
    return Predictions(
        data.classes,
        data.truth[selected],
        data.scores[selected],
        patients,
        None if data.choices is None else data.choices[selected],
    )


def by_highest_score(data: Predictions) -> Predictions:
    """The same images, each with the class of its highest score as the predicted one.

    Of two classes that is the threshold 0.5.
    """
    return replace(data, choices=None)


def _choices(
    rows: pd.DataFrame, position: dict[str, int], scores: NDArray[np.float64]
) -> NDArray[np.intp] | None:
    """Positions of the predicted classes; None where highest scores decide all.

    Of folds in one table some may have a threshold and others none.
    """
    if PREDICTED not in rows:
        return None
    first = np.argmax(scores, axis=1)
    named = [position.get(name, -1) for name in rows[PREDICTED]]
    chosen = np.array(named, np.intp)
    return np.where(chosen >= 0, chosen, first)


def patient_numbers(patients: pd.Series) -> NDArray[np.intp] | None:
    """Number of each image's patient; None where that of some image is not known."""
    if (patients == "").any():
        return None
    return _renumbered(patients.to_numpy(str))


def _renumbered(values: NDArray[np.generic]) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1].reshape(-1)
