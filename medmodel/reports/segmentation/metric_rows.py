"""Metrics of a segmentation as people read them: titles, units, intervals, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation
from medmodel.evaluation.segmentation.summary import in_mm
from medmodel.language import N_, _, format_number

if TYPE_CHECKING:
    import pandas as pd

TITLES = {
    "dice": N_("Dice"),
    "iou": N_("IoU (Jaccard)"),
    "lesion_sensitivity": N_("Sensitivity per lesion"),
    "area_error": N_("Area error"),
    "hd95": N_("HD95"),
    "false_positives": N_("False-positive images"),
}
"""Key of `summary.metrics` -> what it is called."""
_SHARES = ("area_error", "false_positives")


def title(key: str, rows: pd.DataFrame) -> str:
    """A metric's name, with its unit where it has one.

    Args:
        key: Of `TITLES`.
        rows: Of the class, on which the unit of distances depends.
    """
    if key != "hd95":
        return _(TITLES[key])
    unit = _("mm") if in_mm(rows[rows["area"] > 0]) else _("pixels")
    return f"{_(TITLES[key])}, {unit}"


def value_text(key: str, estimate: Estimate) -> str:
    """A metric's value."""
    if not estimate.measurable:
        return _("not measurable")
    return _number(key, estimate.value)


def interval_text(key: str, estimate: Estimate) -> str:
    """Its 95 % interval, or why there is none; "" where there is no value."""
    if not estimate.measurable:
        return ""
    if estimate.too_few is not None:
        return estimate.interval
    return f"{_number(key, estimate.low)}–{_number(key, estimate.high)}"


def estimate_text(key: str, estimate: Estimate) -> str:
    """Both in one, as `0.912 (0.880–0.940)`."""
    value, interval = value_text(key, estimate), interval_text(key, estimate)
    if estimate.too_few is not None:
        return _("{value}, {too_few}", value=value, too_few=interval)
    return f"{value} ({interval})" if interval else value


def metric_rows(evaluation: SegmentationEvaluation, name: str) -> list[list[str]]:
    """Title, value with interval, and number of images of each metric of a class."""
    rows = evaluation.rows[name]
    return [
        [title(key, rows), estimate_text(key, estimate), f"{estimate.n:,}"]
        for key, estimate in evaluation.metrics[name].items()
    ]


def metric_table(
    evaluation: SegmentationEvaluation,
    copies: str,
    with_copies: SegmentationEvaluation | None = None,
) -> pd.DataFrame:
    """Every metric of every class as a table to take away.

    Args:
        evaluation: Without copies of training images.
        copies: What is known of copies, which stands in each row.
        with_copies: Of all test images, where some are copies.
    """
    import pandas as pd

    columns = [_("class"), _("metric"), _("value"), _("low"), _("high"), _("n_images")]
    table = pd.DataFrame(_values(evaluation), columns=columns)
    table[_("copies_in_the_test")] = copies
    if with_copies is not None:
        # Without a copy's scale distances are in pixels: no value beside one in mm.
        beside = [
            row[2:] if row[1] == own[1] else [None] * len(row[2:])
            for row, own in zip(_values(with_copies), _values(evaluation), strict=True)
        ]
        names = [
            _("value_with_copies"),
            _("low_with_copies"),
            _("high_with_copies"),
            _("n_images_with_copies"),
        ]
        table[names] = pd.DataFrame(beside, columns=names)
    return table


def _values(evaluation: SegmentationEvaluation) -> list[list[object]]:
    return [
        [name, title(key, evaluation.rows[name]), e.value, *e.ends, e.n]
        for name, metrics in evaluation.metrics.items()
        for key, e in metrics.items()
    ]


def _number(key: str, value: float) -> str:
    if key in _SHARES:
        return format_number(100 * value, ".1f") + " %"
    return format_number(value, ".2f" if key == "hd95" else ".3f")
