"""Conformal sets of each finding: present, absent, or either, as often right as asked.

Label-conditional split conformal prediction (Vovk et al. 2005; Sadinle, Lei and
Wasserman 2019, JASA): images with a finding and images without it choose a threshold
each, so that the promise holds for both by themselves, however rare the finding is. It
holds on average over images that come from where the validation images came from, and
for no others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.decision.conformal import (
    COVERAGES,
    ROUNDING,
    below_target,
    enough_images,
    score_threshold,
    shortfall,
)
from medmodel.evaluation.intervals.estimate import (
    NOT_MEASURABLE,
    Estimate,
    where_enough,
)
from medmodel.evaluation.intervals.minima import all_images
from medmodel.evaluation.intervals.proportions import proportion
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    finding_predictions,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.runs.tables.findings import finding_names

if TYPE_CHECKING:
    import pandas as pd

COVERAGE = 0.95
"""Of the sets in tables and commands, and on pages until another is chosen."""
Answer = Literal["present", "absent", "present|absent", ""]
"""A set as tables have it; "" where there are too few validation images for one."""


@dataclass(frozen=True)
class FindingSets:
    """Which of present and absent cannot be ruled out, from an image's score.

    Args:
        name: The finding.
        coverage: Share of images with it whose set is to hold "present", and of images
            without it whose set is to hold "absent".
        present_from: Lowest score, as the model gives it, with which "present" is in
            the set.
        absent_to: Highest score with which "absent" is in the set.
        positives: Validation images with the finding.
        negatives: Validation images without it.
    """

    name: str
    coverage: float
    present_from: float
    absent_to: float
    positives: int
    negatives: int

    @property
    def enough(self) -> bool:
        """Whether there are so many validation images of either kind as to promise."""
        fewest = min(self.positives, self.negatives)
        return enough_images(fewest, self.coverage)

    def holds_present(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Of which images "present" cannot be ruled out; scores as the model gives."""
        return np.asarray(scores) >= self.present_from - ROUNDING

    def holds_absent(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Of which images "absent" cannot be ruled out."""
        return np.asarray(scores) <= self.absent_to + ROUNDING

    def answers(self, scores: NDArray[np.floating]) -> list[Answer]:
        """The set of each image; all "" where there are too few validation images."""
        if not self.enough:
            return [""] * len(scores)
        present, absent = self.holds_present(scores), self.holds_absent(scores)
        return [
            "present|absent" if p and a else "present" if p else "absent"
            for p, a in zip(present, absent, strict=True)
        ]


@dataclass(frozen=True)
class SetsResult:
    """What the sets of one finding held on images that chose no threshold.

    Args:
        sets: Of the finding; there are enough validation images.
        present: Share of images with the finding whose set held "present".
        absent: Share of images without it whose set held "absent".
        either: Share of all images whose set says nothing: present or absent.
        undercovers: Whether either held less often than chance explains, all that were
            measured beside it taken into account.
    """

    sets: FindingSets
    present: Estimate
    absent: Estimate
    either: float
    undercovers: bool = False

    @property
    def shortfalls(self) -> tuple[float, float]:
        """How likely chance holds so few of either kind, see `conformal.shortfall`."""
        sets = self.sets
        return (
            shortfall(self.present, sets.coverage, sets.positives),
            shortfall(self.absent, sets.coverage, sets.negatives),
        )


def fit_sets(table: pd.DataFrame, coverage: float = COVERAGE) -> list[FindingSets]:
    """The sets of each finding, from validation images alone.

    No set is empty: where the scores with which both are ruled out leave a gap, it is
    parted in its middle, which makes sets larger and keeps the promise.

    Args:
        table: As from `read_findings`.
        coverage: Between 0 and 1, exclusive.

    Raises:
        DataError: There is no validation image.
    """
    return [_fitted(table, name, coverage) for name in finding_names(table)]


def _fitted(table: pd.DataFrame, name: str, coverage: float) -> FindingSets:
    data = finding_predictions(table, name, "val")
    has = data.truth == FINDING
    scores = data.scores[:, FINDING]
    present_from = score_threshold(scores[has], coverage)
    absent_to = 1 - score_threshold(1 - scores[~has], coverage)
    if present_from > absent_to:
        present_from = absent_to = (present_from + absent_to) / 2
    positives = int(has.sum())
    return FindingSets(
        name, coverage, present_from, absent_to, positives, len(has) - positives
    )


def measure_sets(table: pd.DataFrame) -> dict[float, list[SetsResult | None]]:
    """How often the sets of each finding held the truth on test images.

    All coverages of all findings are judged together: each by itself, one of fourteen
    findings would be blamed for what is chance more often than not.

    Args:
        table: As from `copies.independent_findings`.

    Returns:
        Of each of `COVERAGES`, in the order of `fit_sets`; None with too few validation
        images to promise.

    Raises:
        DataError: There is no validation image, or no test image.
    """
    results = {
        coverage: [measure_finding(table, sets) for sets in fit_sets(table, coverage)]
        for coverage in COVERAGES
    }
    judged = [each for of_all in results.values() for each in of_all if each]
    p_values = [p for result in judged for p in result.shortfalls]
    below = iter(below_target(p_values))
    return {
        coverage: [
            each and replace(each, undercovers=any((next(below), next(below))))
            for each in of_all
        ]
        for coverage, of_all in results.items()
    }


def measure_finding(table: pd.DataFrame, sets: FindingSets) -> SetsResult | None:
    """The same of one finding and one coverage, not judged.

    Args:
        table: As from `copies.independent_findings`.
        sets: Of one of its findings.

    Raises:
        DataError: There is no test image.
    """
    if not sets.enough:
        return None
    data = finding_predictions(table, sets.name, "test")
    scores, has = data.scores[:, FINDING], data.truth == FINDING
    present, absent = sets.holds_present(scores), sets.holds_absent(scores)
    return SetsResult(
        sets,
        _share(present, data, has),
        _share(absent, data, ~has),
        float((present & absent).mean()),
    )


def _share(
    held: NDArray[np.bool_], data: Predictions, among: NDArray[np.bool_]
) -> Estimate:
    if not among.any():
        return NOT_MEASURABLE
    patients = None if data.patients is None else data.patients[among]
    group = all_images(patients, int(among.sum()))
    return where_enough(proportion(held[among], patients), "accuracy", group)


def by_name(
    sets: Sequence[FindingSets], findings: Sequence[str], coverage: float = COVERAGE
) -> list[FindingSets]:
    """The sets in the order of a model's findings; without images where unknown."""
    known = {each.name: each for each in sets}
    return [
        known.get(name, FindingSets(name, coverage, math.nan, math.nan, 0, 0))
        for name in findings
    ]
