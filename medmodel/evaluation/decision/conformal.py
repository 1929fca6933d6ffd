"""Conformal prediction: sets of classes that hold the right one as often as asked.

Split conformal prediction, label-conditional where a class has enough validation
images: Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with
bounded error levels", JASA; Vovk et al. 2005. The promise holds on average over images
that come from where the validation images came from, and for no others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.comparison.paired_tests import holm
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import all_images
from medmodel.evaluation.intervals.proportions import proportion
from medmodel.evaluation.intervals.variance import Z
from medmodel.evaluation.predictions import Predictions

COVERAGES = (0.8, 0.9, 0.95, 0.99)
ROUNDING = 1e-7
"""Scores are written with 8 digits: a hair's breadth does not exclude."""
_LEVEL = 1 - NormalDist().cdf(Z)
"""One-sided, 2.5 %: the side of a 95 % interval that matters here."""


@dataclass(frozen=True)
class ConformalPredictor:
    """Prediction sets: from which score on a class belongs to the set.

    Args:
        coverage: Share of images whose set is to hold the right class.
        thresholds: (k,) lowest score of each class in the set; 0 where there are too
            few images to leave the class out.
        per_class: (k,) whether a class was judged by its own images alone.
        images: Validation images behind it.
    """

    coverage: float
    thresholds: NDArray[np.float64]
    per_class: NDArray[np.bool_]
    images: int

    def sets(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which classes belong to the set of each image.

        A set may be empty: the model is then less sure of every class than it usually
        was of the right one.

        Args:
            scores: Probabilities, shape `(n, k)`.
        """
        return np.asarray(scores) >= self.thresholds - ROUNDING

    def covered(
        self,
        scores: NDArray[np.floating],
        truth: NDArray[np.integer],
        patients: NDArray[np.intp] | None = None,
    ) -> Estimate:
        """Share of images whose set holds the right class, with its interval.

        Args:
            scores: Probabilities of images that chose no threshold, shape `(n, k)`.
            truth: Position of the right class of each, shape `(n,)`.
            patients: Patient number of each, shape `(n,)`; None if unknown.
        """
        held = self.sets(scores)[np.arange(len(truth)), truth]
        group = all_images(patients, len(truth))
        return where_enough(proportion(held, patients), "accuracy", group)


@dataclass(frozen=True)
class MeasuredSets:
    """What sets held on images that chose no threshold.

    Args:
        predictor: The sets.
        observed: Share of test images whose set held the right class.
        width: Classes in a set, on average.
        undercovers: Whether less was covered than chance explains, all that were
            measured beside it taken into account.
    """

    predictor: ConformalPredictor
    observed: Estimate
    width: float
    undercovers: bool


def measure(validation: Predictions, test: Predictions) -> list[MeasuredSets]:
    """How often the sets held the right class, at each of `COVERAGES`.

    All are judged together: of four, the lowest lies below its promise more often.

    Args:
        validation: Images that choose the sets.
        test: Images of the same classes that had no part in it.
    """
    fitted = [fit(validation.scores, validation.truth, c) for c in COVERAGES]
    observed = [f.covered(test.scores, test.truth, test.patients) for f in fitted]
    below = below_target(
        [
            shortfall(held, sets.coverage, sets.images)
            for sets, held in zip(fitted, observed, strict=True)
        ]
    )
    widths = [float(f.sets(test.scores).sum(axis=1).mean()) for f in fitted]
    return list(map(MeasuredSets, fitted, observed, widths, below))


def shortfall(measured: Estimate, coverage: float, images: int) -> float:
    """How likely chance covers so little or less: a one-sided p value.

    Chance among the test images is in the interval that was measured. Chance among the
    validation images comes on top: what thresholds from n of them cover varies from
    one draw to the next like a beta distribution (Vovk 2012, "Conditional validity of
    inductive conformal predictors", ACML).

    Args:
        measured: Share of test images whose set held the truth.
        coverage: What was promised.
        images: Validation images behind the promise.

    Returns:
        Not a number where too few images were measured for an interval.
    """
    if not measured.has_interval:
        return math.nan
    drawn = coverage * (1 - coverage) / (images + 2)
    above = math.hypot((measured.high - measured.value) / Z, math.sqrt(drawn))
    return NormalDist().cdf((measured.value - coverage) / above)


def below_target(p_values: Sequence[float]) -> list[bool]:
    """Which of several promises were broken beyond chance, judged together by Holm.

    Args:
        p_values: As from `shortfall`; those that are no numbers are not judged.
    """
    adjusted = iter(holm([p for p in p_values if not math.isnan(p)]))
    return [not math.isnan(p) and next(adjusted) < _LEVEL for p in p_values]


def fit(
    scores: NDArray[np.floating], truth: NDArray[np.integer], coverage: float
) -> ConformalPredictor:
    """Chooses the lowest scores on validation images.

    Args:
        scores: Probabilities, shape `(n, k)`.
        truth: Position of the right class of each image, shape `(n,)`.
        coverage: Between 0 and 1, exclusive.
    """
    right = scores[np.arange(len(truth)), truth]
    together = score_threshold(right, coverage)
    count = scores.shape[1]
    true_scores = np.array(
        [enough_images(int((truth == k).sum()), coverage) for k in range(count)]
    )
    least = [
        score_threshold(right[truth == k], coverage) if true_scores[k] else together
        for k in range(count)
    ]
    return ConformalPredictor(coverage, np.array(least), true_scores, len(truth))


def enough_images(images: int, coverage: float) -> bool:
    """Whether so many images can exclude anything at this coverage."""
    return math.ceil((images + 1) * coverage - 1e-9) <= images


def score_threshold(right: NDArray[np.floating], coverage: float) -> float:
    """The score that at least `coverage` of new images of the kind will reach.

    Args:
        right: Scores of the right class, shape `(n,)`.
        coverage: As in `fit`.

    Returns:
        The score of rank ceil((n + 1) coverage) from the top; 0 if there is none.
    """
    if not enough_images(len(right), coverage):
        return 0.0
    rank = math.ceil((len(right) + 1) * coverage - 1e-9)
    return float(np.sort(right)[::-1][rank - 1])
