"""Numbers of a segmentation with 95 % intervals: patients are drawn, with all images.

Bootstrap percentile intervals as in `bootstrap`. Means are over images that hold the
class: where there is nothing to outline Dice says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.bootstrap import percentile_interval
from medmodel.evaluation.intervals import Estimate, LimitingGroup

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10
"""Patients, or images where patients are unknown, below which no interval is given."""
DRAWS = 2000
_NAN = float("nan")
_Numbers = NDArray[np.float64]
Ratio = tuple[_Numbers, _Numbers]
"""Numerator and denominator of each image: a metric is the ratio of their sums."""


def metrics(rows: pd.DataFrame) -> dict[str, Estimate]:
    """Every metric of one class.

    Args:
        rows: Of `tables.read_segmentation`, of one class and split.

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
        "dice": _estimate(present, (_array(present["dice"]), ones)),
        "iou": _estimate(present, (_array(present["iou"]), ones)),
        "lesion_sensitivity": _estimate(
            present, (_array(present["found"]), _array(present["lesions"])), True
        ),
        "area_error": _estimate(present, (_array(error), ones)),
        "hd95": _distance(present),
        "false_positives": _estimate(
            absent, (_array(outlined), np.ones(len(absent))), True
        ),
    }


def in_mm(rows: pd.DataFrame) -> bool:
    """Whether distances of these images are given in mm: all have a spacing."""
    return bool(rows["hd95_mm"].notna().sum() == rows["hd95"].notna().sum() > 0)


def _distance(present: pd.DataFrame) -> Estimate:
    column = "hd95_mm" if in_mm(present) else "hd95"
    measured = present[present[column].notna()]
    return _estimate(measured, (_array(measured[column]), np.ones(len(measured))))


def _array(values: pd.Series) -> _Numbers:
    return values.to_numpy(float)


def _estimate(rows: pd.DataFrame, ratio: Ratio, share: bool = False) -> Estimate:
    """A ratio of sums over images, with its interval.

    Args:
        rows: The images.
        ratio: Of each image.
        share: Whether it is a share of things that are so or not.
    """
    above, below = ratio
    if not below.sum():
        return Estimate(_NAN, _NAN, _NAN, 0)
    value = float(above.sum() / below.sum())
    number, known = units_of(rows)
    count = int(number.max()) + 1
    if count < FEWEST:
        group = LimitingGroup(count, known, "all")
        return Estimate(value, _NAN, _NAN, len(rows), group)
    sums = [np.bincount(number, each, count).astype(float) for each in ratio]
    low, high, _p = percentile_interval(_resampled(sums, count), count)
    if share and value in (0.0, 1.0):
        low, high = _interval_of_none(value, count)
    return Estimate(value, low, high, len(rows))


def units_of(rows: pd.DataFrame) -> tuple[NDArray[np.intp], bool]:
    """Number of each row's patient, or image where not every patient is known.

    Returns:
        (n,) numbers from 0, and whether they are of patients.
    """
    known = bool((rows["patient"] != "").all())
    units = rows["patient"] if known else rows["path"]
    numbers = np.unique(units.to_numpy(str), return_inverse=True)[1]
    return numbers.reshape(-1), known


def _interval_of_none(value: float, count: int) -> tuple[float, float]:
    """Interval of a share of 0 or 1, which resampling would give no width.

    Clopper and Pearson 1934, with each patient as one trial.
    """
    least = 0.025 ** (1 / count)
    return (least, 1.0) if value else (0.0, 1 - least)


def _resampled(sums: list[_Numbers], count: int) -> _Numbers:
    """The ratio in each of many resampled tables."""
    rng = np.random.default_rng(0)
    weights = rng.multinomial(count, np.full(count, 1 / count), DRAWS)
    above, below = (weights @ each for each in sums)
    return np.asarray(above[below > 0] / below[below > 0])


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
