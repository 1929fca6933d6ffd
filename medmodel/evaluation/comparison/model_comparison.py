"""Paired comparison of models on the test images that all of them have predicted.

Every pair is compared image by image, which sees differences that two intervals hide.
Nothing is called better unless its corrected test and its interval both say so.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.comparison.paired_tests import (
    accuracy_difference,
    area_difference,
    bootstrap_difference,
    corrected,
)
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    limiting_group,
    overall_metrics,
)
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import N_, _, ngettext
from medmodel.runs.copies import with_copies
from medmodel.runs.tables.predictions import answer_columns, scored_classes

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05
COMPARED = tuple(key for key in METRICS if key != "calibration_error")
"""Metrics with a paired test. Of calibration errors there is none: a model is seen
worse calibrated than it is, the better it is calibrated the more. Where one model is
calibrated and the other is not, intervals of the difference (bootstrap, MOVER) hold the
truth 73 to 90 times of 100."""
_POWER = 0.8416212335729143  # 80 % point of the standard normal distribution


class LabelsDifferError(DataError):
    """Two models were tested on other labels of the same images."""


@dataclass(frozen=True)
class CommonImages:
    """The test images that all models have in common, in the same order for each.

    Args:
        paths: The images' paths, sorted, length n.
        models: Name of each model -> its predictions of these images.
        left_out: Name of each model -> its test images that some other one lacks.
    """

    paths: list[str]
    models: Mapping[str, Predictions]
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        """How many there are, as a sentence."""
        most = max(self.left_out.values())
        images = len(self.paths)
        if not most:
            return _("{images:,} test images are common to all.", images=images)
        return _(
            "{images:,} test images are common to all, up to {most:,} are left out.",
            images=images,
            most=most,
        )


@dataclass(frozen=True)
class PairedDifference:
    """One metric of two models on the same images.

    Args:
        metric: Key of `metric_table.METRICS`.
        first: Name of the one model.
        second: Name of the other.
        values: The metric of each.
        estimate: First minus second, with its 95 % interval.
        p: Two-sided p value; after `corrected` the adjusted one.
        test: Name of the test, in English.
        needed: Images with which a difference of this size would be found in 80 of
            100 trials; None where no number would do.
    """

    metric: str
    first: str
    second: str
    values: tuple[float, float]
    estimate: Estimate
    p: float
    test: str
    needed: int | None

    @property
    def better(self) -> str:
        """Name of the better model; empty where they cannot be told apart."""
        estimate = self.estimate
        if not estimate.has_interval or self.p > SIGNIFICANT or self._may_be_none:
            return ""
        larger = estimate.value > 0
        lower_is_better = METRICS[self.metric].lower_is_better
        return self.first if larger != lower_is_better else self.second

    @property
    def is_borderline(self) -> bool:
        """Whether p value and interval, which are of two methods, say two things."""
        significant = self.p <= SIGNIFICANT
        return self.estimate.has_interval and significant == self._may_be_none

    @property
    def _may_be_none(self) -> bool:
        return self.estimate.low <= 0 <= self.estimate.high

    @property
    def worse(self) -> str:
        """Name of the other one than the better model."""
        return self.second if self.better == self.first else self.first

    @property
    def size(self) -> str:
        """How far they are apart, without a sign: `2.1 points (0.4 to 3.9)`."""
        estimate = self.estimate
        # Among many images a difference may be real and yet tiny.
        digits = 1 if abs(estimate.value) >= 0.002 else 3
        # A log loss has no upper end, so that hundredths of it are no "points".
        loss = self.metric == "log_loss"
        scale, more = (1, 2) if loss else (100, 0)
        sizes = (estimate.value, *sorted((estimate.low, estimate.high), key=abs))
        size, low, high = (f"{scale * abs(x):.{digits + more}f}" for x in sizes)
        if loss:
            return _("{size} ({low} to {high})", size=size, low=low, high=high)
        return _("{size} points ({low} to {high})", size=size, low=low, high=high)

    def __str__(self) -> str:
        """The sentence."""
        estimate = self.estimate
        if not estimate.measurable:
            return _(
                "{first} and {second}: not measurable.",
                first=self.first,
                second=self.second,
            )
        if not estimate.has_interval:
            return _(
                "{first} and {second}: {interval} to tell them apart.",
                first=self.first,
                second=self.second,
                interval=estimate.interval,
            )
        if self.better:
            return _(
                "{better} is better than {worse} by {size}.",
                better=self.better,
                worse=self.worse,
                size=self.size,
            )
        values: dict[str, Any] = {
            "first": self.first,
            "second": self.second,
            "n": estimate.n,
            "p": self.p_text,
        }
        if self.p <= SIGNIFICANT:
            return _(
                "{first} and {second}: not told apart: {p}, but the 95 % interval "
                "holds 0 (n = {n:,} images).",
                **values,
            )
        if self.needed is None:
            return _(
                "{first} and {second}: no significant difference (n = {n:,} images, "
                "{p}).",
                **values,
            )
        if self.needed > 1_000_000:
            return _(
                "{first} and {second}: no significant difference (n = {n:,} images, "
                "{p}); to show a difference this large, more than a million images "
                "would be needed.",
                **values,
            )
        return _(
            "{first} and {second}: no significant difference (n = {n:,} images, {p}); "
            "to show a difference this large, about {images:,} images would be needed.",
            images=_rounded(self.needed),
            **values,
        )

    @property
    def p_text(self) -> str:
        """The p value as people read it; a dash where too few images were tested."""
        return p_value_text(self.p) if self.estimate.has_interval else "–"


def p_value_text(p: float) -> str:
    """A p value as people read it: `p = 0.64`, `p < 0.001`."""
    if p < 0.001:
        return "p < 0.001"
    # 0.996 is not 1, and 0.0499 not 0.05.
    digits = 2 if 0.1 <= p < 0.995 or p == 1 else 3
    digits = 4 if 0.0495 <= p < 0.05 else digits
    return f"p = {p:.{digits}f}"


def _rounded(count: int) -> int:
    """Two digits, upwards: a forecast is not known better."""
    step = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // step) * step


def common_images(
    tables: Mapping[str, pd.DataFrame],
    digests: Mapping[str, Mapping[str, str]] = {},
) -> CommonImages:
    """The test images that every table has, brought into the same order.

    Only images that lie in this split for every model: what one model was trained on
    may not judge it.

    Args:
        tables: Name of each model -> its predictions table; two at least.
        digests: Name of each model -> path -> digest of the image. Files of one name in
            two folders are no common image unless they are equal pixel by pixel; of
            models and paths without a digest the path alone counts.

    Raises:
        DataError: Fewer than two models, other classes, no image in common, or an
            image twice in a table.
        LabelsDifferError: Labels disagree.
    """
    if len(tables) < 2:
        raise DataError(_("A comparison needs two models at least."))
    indexed = {}
    for name, table in tables.items():
        rows = table[table["split"] == "test"].set_index("path")
        if not rows.index.is_unique:
            raise DataError(
                _("An image occurs twice in the predictions of {name}.", name=name)
            )
        indexed[name] = rows
    first_name, first = next(iter(indexed.items()))
    classes = scored_classes(first)
    shared = set.intersection(*(set(rows.index) for rows in indexed.values()))
    paths = sorted(path for path in shared if is_one_image(path, digests))
    if not paths:
        raise DataError(_("These models have no test image in common."))
    with_patients = [
        r for r in indexed.values() if not (r.loc[paths, "patient"] == "").any()
    ]
    models = {}
    for name, rows in indexed.items():
        if set(scored_classes(rows)) != set(classes):
            raise DataError(
                _(
                    "{name} and {first_name} do not have the same classes.",
                    name=name,
                    first_name=first_name,
                )
            )
        columns = answer_columns(rows, classes)
        chosen = rows.loc[paths, ["patient", "split", "label", *columns]]
        wrong = int((chosen["label"] != first.loc[paths, "label"]).sum())
        if wrong:
            raise LabelsDifferError(
                ngettext(
                    "{name} and {first_name} have other labels for {count:,} image.",
                    "{name} and {first_name} have other labels for {count:,} images.",
                    wrong,
                    name=name,
                    first_name=first_name,
                )
            )
        if with_patients:
            chosen = chosen.assign(patient=with_patients[0].loc[paths, "patient"])
        models[name] = split_predictions(chosen.reset_index(), "test")
    left_out = {name: len(rows) - len(paths) for name, rows in indexed.items()}
    return CommonImages(list(map(str, paths)), models, left_out)


def metrics_with_copies(
    tables: Mapping[str, pd.DataFrame],
    digests: Mapping[str, Mapping[str, str]] = {},
) -> tuple[dict[str, dict[str, Estimate]], str]:
    """Each model's metrics on all common images, copies of training images among them.

    Args:
        tables: As from `copies.independent_predictions`, of models that can be
            compared without copies.
        digests: As in `common_images`.

    Returns:
        Name of each model -> its metrics, and a sentence where there are none, since
        labels of copies were corrected in between.
    """
    try:
        everything = {name: with_copies(table) for name, table in tables.items()}
        models = common_images(everything, digests=digests).models.items()
    except LabelsDifferError as error:
        return {}, _("Numbers with copies are not given: {reason}", reason=error)
    return {name: overall_metrics(model) for name, model in models}, ""


def is_one_image(path: str, digests: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether files of this path are equal pixel by pixel, as far as is known."""
    return len({d[path] for d in digests.values() if path in d}) <= 1


def compare(common: CommonImages, metric: str) -> list[PairedDifference]:
    """Every pair of models by one metric, corrected by Holm beyond one pair.

    Accuracy by McNemar's exact test, the area under the ROC curve by DeLong's, all
    others by the paired bootstrap; patients are kept together throughout.

    Args:
        common: As from `common_images`.
        metric: One of `COMPARED`.

    Raises:
        DataError: There is no such metric, or no test of it.
    """
    if metric not in METRICS:
        raise DataError(_("There is no metric {metric!r}.", metric=metric))
    if metric not in COMPARED:
        raise DataError(
            _(
                "There is no paired test of {metric!r}: the calibration error of few "
                "images is too large by an amount that depends on the calibration "
                "itself.",
                metric=metric,
            )
        )
    pairs = [
        difference(common, first, second, metric)
        for first, second in itertools.combinations(common.models, 2)
    ]
    return corrected(pairs)


def difference(
    common: CommonImages, first: str, second: str, metric: str
) -> PairedDifference:
    """One metric of two models, tested as `compare` says, uncorrected."""
    a, b = common.models[first], common.models[second]
    ones = np.ones((1, len(a.truth)))
    values = tuple(float(METRICS[metric].weighted(model, ones)[0]) for model in (a, b))
    if metric == "accuracy":
        estimate, p, needed = accuracy_difference(a, b)
        test = (
            N_("McNemar, exact")
            if a.patients is None
            else N_("McNemar, exact by patient")
        )
    elif metric == "auc":
        estimate, p, needed = area_difference(a, b)
        test = N_("DeLong, paired")
    else:
        estimate, p, needed = bootstrap_difference(a, b, metric)
        test = N_("paired bootstrap")
    groups = [limiting_group(metric, model) for model in (a, b)]
    smallest = min(groups, key=lambda group: group.count)
    estimate = where_enough(estimate, kind_of_difference(metric), smallest)
    return PairedDifference(
        metric, first, second, (values[0], values[1]), estimate, p, test, needed
    )


def why_not_told(pairs: Sequence[PairedDifference]) -> str:
    """Why no test can tell some pairs apart, in a few words; empty where all can be."""
    reasons = [
        pair.estimate.interval if pair.estimate.measurable else _("not measurable")
        for pair in pairs
        if not pair.estimate.has_interval
    ]
    return _("; ").join(dict.fromkeys(reasons))


def kind_of_difference(metric: str) -> str:
    """Key of `minima.MINIMA` for the difference of a metric."""
    if metric in ("accuracy", "auc"):
        return f"{metric} difference"
    if METRICS[metric].from_choices:
        return "share difference"
    loss = METRICS[metric].lower_is_better
    return "loss difference" if loss else "average precision difference"


def disagreements(common: CommonImages) -> NDArray[np.bool_]:
    """Where the models' predicted classes are not all the same, shape `(n,)`."""
    choices = np.stack([model.predicted for model in common.models.values()])
    return (choices != choices[0]).any(axis=0)
