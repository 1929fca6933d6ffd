"""Estimates with their intervals, as JSON and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _

if TYPE_CHECKING:
    from medmodel.evaluation.comparison.model_comparison import PairedDifference
    from medmodel.evaluation.segmentation.comparison import DiceDifference


def estimate_values(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON has it; ends are null where too few images bear them."""
    low, high = estimate.low, estimate.high
    return {"value": estimate.value, "low": low, "high": high, "n": estimate.n}


def metric_values(metrics: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """Key of each metric -> its estimate."""
    return {key: estimate_values(estimate) for key, estimate in metrics.items()}


def difference_values(pair: PairedDifference) -> dict[str, Any]:
    """A paired difference of two models as JSON has it."""
    values = {"metric": pair.metric, **paired_values(pair)}
    return {**values, "images_needed": pair.needed}


def paired_values(pair: PairedDifference | DiceDifference) -> dict[str, Any]:
    """What JSON has of a paired difference of whichever metric."""
    return {
        "first": pair.first,
        "second": pair.second,
        "difference": estimate_values(pair.estimate),
        "p": pair.p if pair.estimate.has_interval else None,
        "test": pair.test,
        "better": pair.better or None,
        "sentence": str(pair),
    }


def metric_row(key: str, estimate: Estimate, whole: bool = True) -> list[str]:
    """A line of a table: title, value with interval, n.

    Args:
        key: Of the metric.
        estimate: Its value.
        whole: Whether it is of all classes together.
    """
    metric = METRICS[key]
    title = metric.overall_title if whole else _(metric.title)
    return [title, str(estimate), f"{estimate.n:,}"]
