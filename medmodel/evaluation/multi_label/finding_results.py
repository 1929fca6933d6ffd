"""How well each finding is told from its absence: AUC, threshold, calibration.

Each finding is a question of two answers, so the metrics of two classes apply, with
their intervals by patient. Thresholds and temperatures come from validation images
alone; the mean over findings is that of ChestX-ray14 and CheXpert (Irvin et al. 2019,
AAAI), of those that can be measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    apply_temperature,
    calibrate,
    fit_temperature,
)
from medmodel.evaluation.decision.thresholds import (
    Outcome,
    Rule,
    choose_threshold,
    outcome,
)
from medmodel.evaluation.intervals.estimate import (
    NOT_MEASURABLE,
    Estimate,
    where_enough,
)
from medmodel.evaluation.metrics.metric_table import METRICS, limiting_group
from medmodel.evaluation.metrics.ranking_metrics import (
    ClassArea,
    class_area,
    mean_area,
    mean_precision,
)
from medmodel.evaluation.predictions import Predictions, patient_numbers, split_rows
from medmodel.language import _
from medmodel.runs.tables.findings import finding_names, truth_and_score

if TYPE_CHECKING:
    import pandas as pd

FEWEST_VALIDATED = 10
"""Validation images with a finding, and without it, below which its probabilities are
shown as the model says them: a temperature of fewer is chance."""
YOUDEN = Rule("youden")
FINDING = 1
"""Position of a finding in `finding_predictions`, behind its absence."""


@dataclass(frozen=True)
class Decision:
    """What validation images say of one finding.

    Args:
        name: The finding.
        threshold: Probability, as shown, from which on an image has it; not-a-number
            where all validation images have it, or none.
        temperature: What its log-odds are divided by before they are shown; 1 where
            that is not known well enough.
        positives: Validation images with the finding.
    """

    name: str
    threshold: float
    temperature: float
    positives: int

    @property
    def calibrated(self) -> bool:
        """Whether a temperature was found."""
        return self.temperature != 1

    def shown(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities of the finding as they are shown, of any shape."""
        flat = np.asarray(scores, float).reshape(-1)
        both = apply_temperature(np.stack([1 - flat, flat], axis=1), self.temperature)
        return both[:, FINDING].reshape(np.shape(scores))


@dataclass(frozen=True)
class FindingResult:
    """One finding on the images of a split.

    Args:
        name: The finding.
        images: How many there are.
        positives: Those with it.
        auc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve.
        calibration_error: Expected calibration error of the probabilities as shown.
        brier: Mean squared error of these.
        decision: Threshold and temperature, from validation.
        outcome: What the threshold does; None without one.
    """

    name: str
    images: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    calibration_error: Estimate
    brier: Estimate
    decision: Decision
    outcome: Outcome | None

    @property
    def prevalence(self) -> float:
        """Share of images with the finding."""
        return self.positives / self.images

    def rate(self, key: str) -> Estimate:
        """`sensitivity`, `specificity`, `ppv` or `npv` at the threshold."""
        return self.outcome.metrics[key] if self.outcome else NOT_MEASURABLE


@dataclass(frozen=True)
class FindingsEvaluation:
    """All findings on the images of a split.

    Args:
        images: How many there are.
        patients: Their patients; 0 if unknown.
        results: Of each finding.
        mean_auc: Mean over the findings that can be measured.
        mean_precision: Mean average precision over them.
        left_out: Those that cannot: all images have them, or none.
        exact: Share of images of which all findings are told right at the thresholds;
            not measurable where a finding has none.
        enough: Findings with enough images for an interval, where others have too few;
            else none.
        mean_of_enough: Mean AUC over these.
    """

    images: int
    patients: int
    results: list[FindingResult]
    mean_auc: Estimate
    mean_precision: Estimate
    left_out: list[str]
    exact: Estimate
    enough: list[str] = field(default_factory=list)
    mean_of_enough: Estimate = NOT_MEASURABLE


def finding_predictions(table: pd.DataFrame, finding: str, split: str) -> Predictions:
    """One finding of a split as predictions of two classes, the second being it.

    Raises:
        DataError: The split has no image.
    """
    rows = split_rows(table, split)
    truth, score = truth_and_score(rows, finding)
    names = [_("without {finding}", finding=finding), finding]
    score = np.clip(score, 0.0, 1.0)
    scores = np.stack([1 - score, score], axis=1)
    return Predictions(
        names,
        truth.astype(np.intp),
        scores,
        patient_numbers(rows["patient"]),
        finding=True,
    )


def decide(table: pd.DataFrame, rule: Rule = YOUDEN) -> list[Decision]:
    """Threshold and temperature of each finding, from validation images alone.

    Args:
        table: As from `read_findings`.
        rule: How thresholds are chosen; Youden's by default.

    Raises:
        DataError: There is no validation image.
    """
    decisions = []
    for name in finding_names(table):
        data = finding_predictions(table, name, "val")
        positives = int(data.truth.sum())
        threshold = choose_threshold(data, FINDING, rule)
        temperature = 1.0
        if min(positives, len(data.truth) - positives) >= FEWEST_VALIDATED:
            temperature = _trusted(fit_temperature(data))
        decision = Decision(name, threshold, temperature, positives)
        if not math.isnan(threshold):
            cut = min(max(threshold, 0.0), 1.0)
            shown = float(decision.shown(np.array([cut]))[0])
            decision = replace(decision, threshold=shown)
        decisions.append(decision)
    return decisions


def evaluate_findings(
    table: pd.DataFrame, decisions: Sequence[Decision]
) -> FindingsEvaluation:
    """Every finding on the test images.

    Args:
        table: As from `read_findings`.
        decisions: As from `decide`.

    Raises:
        DataError: There is no test image.
    """
    data = [finding_predictions(table, each.name, "test") for each in decisions]
    results = [_result(d, each) for d, each in zip(data, decisions, strict=True)]
    areas = [class_area(each, FINDING) for each in data]
    measured = [at for at, area in enumerate(areas) if area is not None]
    # By their numbers of images alone: what they reached must not choose them.
    enough = [at for at in measured if results[at].auc.too_few is None]
    if len(enough) == len(measured):
        enough = []
    first = data[0]
    return FindingsEvaluation(
        images=len(first.truth),
        patients=first.patient_count,
        results=results,
        mean_auc=_mean_auc([data[at] for at in measured], areas),
        mean_precision=_mean_precision([data[at] for at in measured]),
        left_out=[r.name for r in results if not r.auc.measurable],
        exact=_exact(data, decisions),
        enough=[results[at].name for at in enough],
        mean_of_enough=mean_area_of([data[at] for at in enough]),
    )


def _trusted(temperature: Temperature) -> float:
    """The temperature where enough images tell it, else 1, which changes nothing."""
    if temperature.bounded or not temperature.has_interval:
        return 1.0
    return temperature.value


def _result(data: Predictions, decision: Decision) -> FindingResult:
    shown = calibrate(data, decision.temperature)
    acted = None
    if not math.isnan(decision.threshold):
        acted = outcome(shown, FINDING, decision.threshold)
    return FindingResult(
        name=decision.name,
        images=len(data.truth),
        positives=int(data.truth.sum()),
        auc=METRICS["auc"].estimate(data, FINDING),
        average_precision=METRICS["average_precision"].estimate(data, FINDING),
        calibration_error=METRICS["calibration_error"].estimate(shown, FINDING),
        brier=METRICS["brier"].estimate(shown, FINDING),
        decision=decision,
        outcome=acted,
    )


def _mean_auc(
    data: Sequence[Predictions], areas: Sequence[ClassArea | None]
) -> Estimate:
    """Mean area with its interval: the findings share their images and patients."""
    area = mean_area(areas)
    if area is None:
        return NOT_MEASURABLE
    groups = [limiting_group("auc", each, FINDING) for each in data]
    smallest = min(groups, key=lambda group: group.count)
    return where_enough(area.estimate(data[0].patients), "auc", smallest)


def mean_area_of(data: Sequence[Predictions]) -> Estimate:
    """Mean AUC of findings of the same images, as from `finding_predictions`."""
    areas = [class_area(each, FINDING) for each in data]
    pairs = zip(data, areas, strict=True)
    return _mean_auc([each for each, area in pairs if area is not None], areas)


def _mean_precision(data: Sequence[Predictions]) -> Estimate:
    """The same for average precision."""
    if not data:
        return NOT_MEASURABLE
    ranked = [(each.truth == FINDING, each.log_odds[:, FINDING]) for each in data]
    estimate = mean_precision(ranked, data[0].patients)
    groups = [limiting_group("average_precision", each, FINDING) for each in data]
    smallest = min(groups, key=lambda group: group.count)
    return where_enough(estimate, "average_precision", smallest)


def _exact(data: Sequence[Predictions], decisions: Sequence[Decision]) -> Estimate:
    """Share of images with every finding told right."""
    if any(math.isnan(each.threshold) for each in decisions):
        return NOT_MEASURABLE
    right = np.ones(len(data[0].truth), bool)
    for each, decision in zip(data, decisions, strict=True):
        shown = decision.shown(each.scores[:, FINDING])
        right &= (shown >= decision.threshold) == (each.truth == FINDING)
    calls = np.stack([~right, right], axis=1).astype(float)
    truth = np.ones(len(right), np.intp)
    told = Predictions(["", ""], truth, calls, data[0].patients)
    return METRICS["accuracy"].estimate(told)
