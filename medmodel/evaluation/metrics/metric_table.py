"""Every metric in one table: what it is called, means, and how it is measured.

Proportions have Wilson's interval, areas under the ROC curve DeLong's. All others use
the infinitesimal jackknife, the limit of the bootstrap without its noise: what each
image adds to the error is known in closed form, summed by patient where patients are
known, and carried to a scale on which the interval stays within the metric's range.

Reference: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration import calibration_metrics
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.intervals.minima import (
    LimitingGroup,
    Members,
    all_images,
    count_units,
)
from medmodel.evaluation.metrics import confusion_metrics, ranking_metrics
from medmodel.evaluation.metrics.confusion_metrics import Mask
from medmodel.evaluation.predictions import Predictions, Weights
from medmodel.language import N_, _


@dataclass(frozen=True)
class Metric:
    """A metric: what people read of it, and how it is measured.

    Args:
        key: Name in files and links.
        title: What people call it.
        meaning: What it is, as a sentence.
        measure: Value with its 95 % interval, of a split and the position of a class;
            of all classes together where that is None. However few images there are.
        weighted: Values of all classes together, shape `(b,)`, for weights of the
            images of shape `(b, n)`, as the bootstrap draws them.
        lower_is_better: Whether 0 is best.
        from_choices: Whether predicted classes are enough, whatever the scores.
        averaged: Whether of all classes together it is the mean over the classes.
    """

    key: str
    title: str
    meaning: str
    measure: Callable[[Predictions, int | None], Estimate]
    weighted: Callable[[Predictions, Weights], Weights]
    lower_is_better: bool = False
    from_choices: bool = True
    averaged: bool = False

    @property
    def overall_title(self) -> str:
        """What it is called of all classes together."""
        return (
            _("{metric}, macro-averaged", metric=_(self.title))
            if self.averaged
            else _(self.title)
        )

    def estimate(self, data: Predictions, position: int | None = None) -> Estimate:
        """As `measure`; without an interval where too few images bear it."""
        return self.where_enough(self.measure(data, position), data, position)

    def where_enough(
        self, estimate: Estimate, data: Predictions, position: int | None = None
    ) -> Estimate:
        """An estimate of this metric without its interval where it rests on too few."""
        group = limiting_group(self.key, data, position)
        return where_enough(estimate, self.key, group)


def limiting_group(
    key: str, data: Predictions, position: int | None = None
) -> LimitingGroup:
    """The smallest group that a metric rests on, by patients where they are known.

    Args:
        key: Of the metric.
        data: One split.
        position: A class; None for the mean of those that occur or are chosen.
    """
    at = range(len(data.classes)) if position is None else [position]
    groups: list[LimitingGroup] = []
    for k in at:
        positive, called = data.truth == k, data.predicted == k
        if position is None and not positive.any() and not called.any():
            continue
        for members in _groups(key, positive, mean=position is None):
            groups.append(group_of_class(data, k, members))
    if not groups:
        return all_images(data.patients, len(data.truth))
    return min(groups, key=lambda group: group.count)


_OF_OTHER: dict[Members, Members] = {
    **{"class": "rest", "rest": "class"},
    **{"predicted": "not predicted", "not predicted": "predicted"},
}
"""What members of one of two classes are of the other one."""


def group_of_class(data: Predictions, position: int, members: Members) -> LimitingGroup:
    """A group of a split's images by one class, true or predicted.

    Of two classes the rest is the other class, called by its name if it has one; the
    absence of a finding is called by the finding.
    """
    by = data.truth if members in ("class", "rest") else data.predicted
    inside = by == position
    rest = members in ("rest", "not predicted")
    count = count_units(~inside if rest else inside, data.patients)
    if data.finding:
        other = position == 0
    else:
        other = rest and len(data.classes) == 2 and bool(data.classes[1 - position])
    if other:
        position, members = 1 - position, _OF_OTHER[members]
    name = data.classes[position]
    return LimitingGroup(count, data.patients is not None, members, name, data.finding)


def _groups(key: str, positive: Mask, mean: bool) -> list[Members]:
    """What one class brings: of most means an absent class is left out, not too few."""
    present: list[Members] = ["class"] if positive.any() or not mean else []
    others: list[Members] = ["rest"] if not positive.all() or not mean else []
    groups: dict[str, list[Members]] = {
        "sensitivity": present,
        "specificity": others,
        "ppv": ["predicted"],
        "npv": ["not predicted"],
        # Unlike these, its mean counts a class that is only predicted.
        "f1": ["class"],
        "balanced_accuracy": present if mean else ["class", "rest"],
        "mcc": [*present, *others, "predicted", "not predicted"],
        "auc": [*present, *others],
        "average_precision": present,
    }
    return groups.get(key, [])


def _rate(
    key: str, title: str, meaning: str, counts: confusion_metrics.Counts
) -> Metric:
    return Metric(
        key,
        title,
        meaning,
        partial(confusion_metrics.rate, counts),
        partial(confusion_metrics.weighted_rate, counts),
        averaged=True,
    )


_ALL = (
    Metric(
        "accuracy",
        N_("Accuracy"),
        N_("Proportion of images whose predicted class is the true class."),
        confusion_metrics.accuracy,
        confusion_metrics.weighted_accuracy,
    ),
    Metric(
        "sensitivity",
        N_("Sensitivity (recall)"),
        N_("Proportion of images of the class that were recognised."),
        confusion_metrics.sensitivity,
        partial(confusion_metrics.weighted_rate, confusion_metrics.sensitivity_counts),
        averaged=True,
    ),
    _rate(
        "specificity",
        N_("Specificity"),
        N_("Proportion of other classes correctly ruled out."),
        confusion_metrics.specificity_counts,
    ),
    _rate(
        "ppv",
        N_("Positive predictive value (precision)"),
        N_("Proportion of images predicted as the class that are, at this prevalence."),
        confusion_metrics.ppv_counts,
    ),
    _rate(
        "npv",
        N_("Negative predictive value"),
        N_("Proportion of images predicted as others that are, at this prevalence."),
        confusion_metrics.npv_counts,
    ),
    Metric(
        "f1",
        N_("F1"),
        N_("Harmonic mean of sensitivity and positive predictive value."),
        confusion_metrics.f1,
        confusion_metrics.weighted_f1,
        averaged=True,
    ),
    Metric(
        "balanced_accuracy",
        N_("Balanced accuracy"),
        N_(
            "Mean of sensitivity and specificity; of several classes the mean "
            "sensitivity."
        ),
        confusion_metrics.balanced_accuracy,
        partial(confusion_metrics.weighted_rate, confusion_metrics.sensitivity_counts),
    ),
    Metric(
        "mcc",
        N_("Matthews correlation"),
        N_("Correlation of true and predicted classes: 0 is chance, 1 is perfect."),
        confusion_metrics.matthews,
        confusion_metrics.weighted_matthews,
    ),
    Metric(
        "auc",
        N_("Area under the ROC curve"),
        N_("How often an image of the class scores higher than one that is not."),
        ranking_metrics.roc_auc,
        ranking_metrics.weighted_auc,
        from_choices=False,
        averaged=True,
    ),
    Metric(
        "average_precision",
        N_("Average precision"),
        N_("Precision averaged over the images of the class."),
        ranking_metrics.average_precision,
        ranking_metrics.weighted_average_precision,
        from_choices=False,
        averaged=True,
    ),
    Metric(
        "brier",
        N_("Brier score"),
        N_("Mean squared distance of the scores from the truth."),
        calibration_metrics.brier,
        calibration_metrics.weighted_brier,
        lower_is_better=True,
        from_choices=False,
    ),
    Metric(
        "log_loss",
        N_("Log loss (negative log-likelihood)"),
        N_(
            "Mean negative log-likelihood of the true class; penalises "
            "confident errors."
        ),
        calibration_metrics.log_loss,
        calibration_metrics.weighted_log_loss,
        lower_is_better=True,
        from_choices=False,
    ),
    Metric(
        "calibration_error",
        N_("Expected calibration error"),
        N_(
            "Mean gap between scores and observed frequencies; of few images "
            "above 0 by chance."
        ),
        calibration_metrics.calibration_error,
        calibration_metrics.weighted_calibration_error,
        lower_is_better=True,
        from_choices=False,
    ),
)
METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}
"""Key -> metric, in the order in which they are shown."""


def overall_metrics(data: Predictions) -> dict[str, Estimate]:
    """Every metric of a split; sensitivity to F1 are means over the classes."""
    return {key: metric.estimate(data, None) for key, metric in METRICS.items()}


def class_metrics(data: Predictions, position: int) -> dict[str, Estimate]:
    """Every metric of one class against the rest, called where it is predicted."""
    return {key: metric.estimate(data, position) for key, metric in METRICS.items()}


def call_metrics(
    positive: Mask,
    called: Mask,
    patients: NDArray[np.intp] | None,
    name: str,
    rest: str = "",
    finding: bool = False,
) -> dict[str, Estimate]:
    """The metrics that yes or no for each image decides, whatever its score.

    Args:
        positive: Whether each image is of the class, shape `(n,)`.
        called: Whether it was called so, shape `(n,)`.
        patients: Patient number of each image, shape `(n,)`; None if unknown.
        name: The class.
        rest: What the others are called; empty where these are several classes.
        finding: Whether the class is a finding, and the rest its absence.
    """
    scores = np.stack([~called, called], axis=1).astype(np.float64)
    truth = positive.astype(np.intp)
    calls = Predictions([rest, name], truth, scores, patients, finding=finding)
    return {
        key: metric.estimate(calls, 1)
        for key, metric in METRICS.items()
        if metric.from_choices
    }
