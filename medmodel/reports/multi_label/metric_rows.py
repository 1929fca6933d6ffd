"""Metrics of findings as people read them: titles, per cents, intervals, tables."""

from __future__ import annotations

from collections.abc import Sequence

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.multi_label.finding_results import (
    Decision,
    FindingResult,
    FindingsEvaluation,
)
from medmodel.evaluation.multi_label.finding_sets import SetsResult
from medmodel.evaluation.multi_label.run_findings import RATES
from medmodel.language import _, format_number
from medmodel.reports.plots import measured_share


def rate_text(estimate: Estimate, short: bool = False) -> str:
    """A rate with its interval: `83.3 % (70.2–91.1 %)`, `83.3 %, too few (4 images)`.

    Args:
        estimate: Of a share.
        short: Whether a group that is too small is said by its number alone.
    """
    if not estimate.measurable:
        return str(estimate)
    value, interval = rate_value(estimate), rate_interval(estimate, short)
    if estimate.too_few is not None:
        return _("{value}, {too_few}", value=value, too_few=interval)
    return f"{value} {interval}"


def rate_value(estimate: Estimate) -> str:
    """A rate in per cent, or that it cannot be measured."""
    if not estimate.measurable:
        return str(estimate)
    return f"{_per_cent(estimate.value)} %"


def rate_interval(estimate: Estimate, short: bool = False) -> str:
    """Its interval in per cent, or why there is none; it is measurable."""
    if estimate.too_few is not None:
        return estimate.short_interval if short else estimate.interval
    return f"({_per_cent(estimate.low)}–{_per_cent(estimate.high)} %)"


def threshold_text(decision: Decision) -> str:
    """The threshold of a finding, or that it has none."""
    if decision.threshold != decision.threshold:
        return _("none")
    return f"{decision.threshold:.3f}"


def result_rate(result: FindingResult, key: str, short: bool = False) -> str:
    """A rate at a finding's threshold, or that there is none."""
    if result.outcome is None:
        return _("no threshold")
    return rate_text(result.rate(key), short)


def with_it(result: FindingResult) -> str:
    """How many images have a finding: `12 / 48 (25 %)`."""
    share = measured_share(result.prevalence)
    return f"{result.positives:,} / {result.images:,} ({share})"


def result_heads() -> list[str]:
    """What the columns of `result_rows` are called."""
    return [
        _("Image finding"),
        _("With it"),
        _("AUC"),
        _("Average precision"),
        _("Threshold"),
        _("Sensitivity"),
        _("Specificity"),
        _("PPV (precision)"),
        _("NPV"),
        _("Calibration error"),
    ]


def result_rows(evaluation: FindingsEvaluation, short: bool = False) -> list[list[str]]:
    """A row of each finding.

    Args:
        evaluation: Of all.
        short: Whether a group that is too small is said by its number alone.
    """

    def text(estimate: Estimate) -> str:
        return estimate.short if short else str(estimate)

    return [
        [
            each.name,
            with_it(each),
            text(each.auc),
            text(each.average_precision),
            threshold_text(each.decision),
            *(result_rate(each, key, short) for key in RATES),
            text(each.calibration_error),
        ]
        for each in evaluation.results
    ]


def set_heads() -> list[str]:
    """What the columns of `set_rows` are called."""
    return [
        _("Image finding"),
        _("Observed, images with it"),
        _("Observed, images without it"),
        _("Present or absent"),
    ]


def set_rows(
    results: Sequence[SetsResult | None], names: Sequence[str]
) -> list[list[str]]:
    """A row of each finding: what its sets held on test images, or too few."""
    return [
        [name, _("too few validation images"), "", ""]
        if result is None
        else [
            name,
            rate_text(result.present),
            rate_text(result.absent),
            measured_share(result.either),
        ]
        for name, result in zip(names, results, strict=True)
    ]


def overall_rows(evaluation: FindingsEvaluation) -> list[list[str]]:
    """Metrics of all findings together: title, value with interval, images."""
    return [
        [_("Mean AUC"), str(evaluation.mean_auc), _n(evaluation.mean_auc)],
        [
            _("Mean average precision"),
            str(evaluation.mean_precision),
            _n(evaluation.mean_precision),
        ],
        [_("All findings right"), rate_text(evaluation.exact), _n(evaluation.exact)],
    ]


def _n(estimate: Estimate) -> str:
    return f"{estimate.n:,}"


def _per_cent(share: float) -> str:
    return format_number(100 * share, ".1f")
