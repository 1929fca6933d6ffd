"""Numbers of a segmentation with 95 % intervals, patients kept together.

Shares and what lies between 0 and 1 have Wilson's interval with as many independent
images as their variance amounts to, as in `intervals.variance`; errors and distances,
which have no end above, one on the logarithmic scale. Means are over images that hold
the class: where there is nothing to outline Dice says nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import LimitingGroup, Minimum
from medmodel.evaluation.intervals.proportions import wilson_at
from medmodel.evaluation.intervals.variance import Z, variance_and_quantile

if TYPE_CHECKING:
    import pandas as pd

MINIMA: dict[str, Minimum] = {
    "dice": Minimum(20, 20),
    "iou": Minimum(20, 20),
    "lesion_sensitivity": Minimum(10, 10),
    "area_error": Minimum(20, 20),
    "hd95": Minimum(60, 60),
    "false_positives": Minimum(20, 10),
}
"""Metric -> the fewest images, or patients where they are known, with an interval.

As `minima.MINIMA`, from the benchmark row `interval_coverage`. Where one outline in
ten fails altogether, ten images often show none that does.
"""
_NAN = float("nan")
_Numbers = NDArray[np.float64]
Ratio = tuple[_Numbers, _Numbers]
"""Numerator and denominator of each image: a metric is the ratio of their sums."""


def metrics(rows: pd.DataFrame) -> dict[str, Estimate]:
    """Every metric of one class.

    Args:
        rows: Of `read_segmentation`, of one class and split.

    Returns:
        `dice`, `iou`, `lesion_sensitivity`, `area_error` (absolute, as a share of the
        true area), `hd95` (in mm where every image has a spacing, else in pixels) and
        `false_positives` (share of the images without the class where some is
        outlined).
    """
    present = rows[rows["area"] > 0]
    absent = rows[rows["area"] == 0]
    error = (present["predicted_area"] - present["area"]).abs() / present["area"]
    outlined = (absent["predicted_area"] > 0).astype(float)
    ones = np.ones(len(present))
    return {
        "dice": _estimate("dice", present, (_array(present["dice"]), ones)),
        "iou": _estimate("iou", present, (_array(present["iou"]), ones)),
        "lesion_sensitivity": _estimate(
            "lesion_sensitivity",
            present,
            (_array(present["found"]), _array(present["lesions"])),
        ),
        "area_error": _estimate("area_error", present, (_array(error), ones)),
        "hd95": _distance(present),
        "false_positives": _estimate(
            "false_positives", absent, (_array(outlined), np.ones(len(absent)))
        ),
    }


def in_mm(rows: pd.DataFrame) -> bool:
    """Whether distances of these images are given in mm: all have a spacing."""
    return bool(rows["hd95_mm"].notna().sum() == rows["hd95"].notna().sum() > 0)


def _distance(present: pd.DataFrame) -> Estimate:
    column = "hd95_mm" if in_mm(present) else "hd95"
    measured = present[present[column].notna()]
    ones = np.ones(len(measured))
    return _estimate("hd95", measured, (_array(measured[column]), ones))


def _array(values: pd.Series) -> _Numbers:
    return values.to_numpy(float)


def _estimate(metric: str, rows: pd.DataFrame, ratio: Ratio) -> Estimate:
    """A ratio of sums over images, with its interval.

    Args:
        metric: Key of `MINIMA`.
        rows: The images.
        ratio: Of each image.
    """
    above, below = ratio
    if not below.sum():
        return Estimate(_NAN, _NAN, _NAN, 0)
    value = float(above.sum() / below.sum())
    number, known = units_of(rows)
    count, least = int(number.max()) + 1, MINIMA[metric]
    if count < (least.patients if known else least.images):
        group = LimitingGroup(count, known, "all")
        return Estimate(value, _NAN, _NAN, len(rows), group)
    influence = (above - value * below) / below.sum()
    # As patients, who may be of one image each: that makes good the small number.
    variance, quantile = variance_and_quantile(influence, number)
    half = quantile * math.sqrt(variance)
    ends = _on_log_scale if metric in _UNBOUNDED else _as_share
    return Estimate(value, *ends(value, half, count), len(rows))


def units_of(rows: pd.DataFrame) -> tuple[NDArray[np.intp], bool]:
    """Number of each row's patient, or image where not every patient is known.

    Returns:
        (n,) numbers from 0, and whether they are of patients.
    """
    known = bool((rows["patient"] != "").all())
    units = rows["patient"] if known else rows["path"]
    numbers = np.unique(units.to_numpy(str), return_inverse=True)[1]
    return numbers.reshape(-1), known


_UNBOUNDED = ("area_error", "hd95")
"""Metrics that have no end above."""


def _as_share(value: float, half: float, count: int) -> tuple[float, float]:
    """Wilson's interval; of all or none, which vary in nothing, of so many units."""
    units = float(count)
    if half > 1e-12:
        units = value * (1 - value) * (Z / half) ** 2
    share = wilson_at(min(max(value, 0.0), 1.0), max(units, 1e-9))
    return share.low, share.high


def _on_log_scale(value: float, half: float, count: int) -> tuple[float, float]:
    """As of a loss; where all are 0, as if one of the units might be off by 1."""
    if value <= 0:
        return 0.0, wilson_at(0.0, count).high
    factor = math.exp(min(half / value, 700.0))
    return value / factor, value * factor


def worst(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """The images with the lowest Dice, then those where something is invented.

    Args:
        rows: As in `metrics`.
        count: How many.
    """
    import pandas as pd

    invented = rows[(rows["area"] == 0) & (rows["predicted_area"] > 0)]
    ordered = rows[rows["area"] > 0].sort_values("dice", kind="stable")
    most = invented.sort_values("predicted_area", ascending=False, kind="stable")
    return pd.concat([ordered, most]).head(count)
