"""Means over images with intervals that draw patients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.evaluation.intervals.minima import LimitingGroup
from medmodel.evaluation.intervals.proportions import wilson, wilson_at
from medmodel.evaluation.segmentation.summary import MINIMA, in_mm, metrics, worst


def rows(count: int = 12, patients: int = 0, **columns: Any) -> pd.DataFrame:
    numbers = np.arange(count)
    values: dict[str, Any] = {
        "path": [f"{n}.png" for n in numbers],
        "patient": [f"p{n % patients}" if patients else "" for n in numbers],
        "dice": np.linspace(0.4, 0.9, count),
        "iou": np.linspace(0.3, 0.8, count),
        "lesions": 2.0,
        "found": 1.0,
        "area": 100.0,
        "predicted_area": 90.0,
        "hd95": 2.0,
        "hd95_mm": math.nan,
    }
    return pd.DataFrame({**values, **columns})


def test_means_are_over_images_that_hold_the_class() -> None:
    table = rows(12)
    table.loc[0, ["dice", "iou", "area", "lesions", "found", "hd95"]] = [
        *(math.nan, math.nan, 0, 0, 0, math.nan)
    ]
    found = metrics(table)
    assert found["dice"].value == pytest.approx(table["dice"][1:].mean())
    assert found["dice"].n == 11
    assert found["lesion_sensitivity"].value == pytest.approx(0.5)
    assert found["area_error"].value == pytest.approx(0.1)
    assert found["hd95"].value == 2.0
    assert (found["false_positives"].value, found["false_positives"].n) == (1.0, 1)
    assert found["false_positives"].too_few is not None


def test_lesions_count_and_not_images() -> None:
    table = rows(10, lesions=[9.0] + [1.0] * 9, found=[0.0] + [1.0] * 9)
    assert metrics(table)["lesion_sensitivity"].value == pytest.approx(0.5)


def test_intervals_hold_the_mean_and_draw_patients() -> None:
    alone, grouped = metrics(rows(100))["dice"], metrics(rows(100, patients=20))["dice"]
    assert alone.low < alone.value < alone.high
    # All images of a patient alike: five times the images tell nothing more.
    table = rows(100, patients=20)
    table["dice"] = np.linspace(0.4, 0.9, 20)[np.arange(100) % 20]
    alike = metrics(table)["dice"]
    assert alike.high - alike.low > 1.8 * (alone.high - alone.low)
    assert not math.isnan(grouped.low)


def test_a_share_of_all_or_none_has_an_interval_with_width() -> None:
    found = metrics(rows(20, found=2.0))["lesion_sensitivity"]
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(wilson(20, 20).low)  # 0.84
    empty = rows(30, area=0.0, predicted_area=0.0, dice=math.nan)
    invented = metrics(empty)["false_positives"]
    assert (invented.value, invented.low) == (0, 0)
    assert invented.high == pytest.approx(wilson(0, 30).high)


@pytest.mark.parametrize("metric", list(MINIMA))
@pytest.mark.parametrize("patients", [False, True])
@pytest.mark.parametrize("short", [0, 1])
def test_with_too_few_there_is_no_interval(
    metric: str, patients: bool, short: int
) -> None:
    least = MINIMA[metric].patients if patients else MINIMA[metric].images
    count = least - short
    table = rows(2 * count, count) if patients else rows(count)
    if metric == "false_positives":
        table["area"] = 0.0
    estimate = metrics(table)[metric]
    assert estimate.has_interval == (not short)
    if short:
        assert estimate.too_few == LimitingGroup(count, patients)


def test_fewest_are_those_of_the_simulations() -> None:
    """Whoever changes one measures the row `interval_coverage` again."""
    assert {key: (m.images, m.patients) for key, m in MINIMA.items()} == {
        "dice": (20, 20),
        "iou": (20, 20),
        "lesion_sensitivity": (10, 10),
        "area_error": (20, 20),
        "hd95": (60, 60),
        "false_positives": (20, 10),
    }


def test_of_two_alike_values_the_interval_is_that_of_a_share() -> None:
    """Of 24 images 18 have a Dice of 1 and 6 of 0: a share of 18 of 24."""
    table = rows(24, dice=[1.0] * 18 + [0.0] * 6)
    found, share = metrics(table)["dice"], wilson(18, 24)
    assert found.value == 0.75 and 0 < found.low < share.low
    # Student's quantile of 23 degrees of freedom, and 24 of 23 for the variance.
    units = 24 * 23 / 24 * (1.959964 / 2.068658) ** 2
    assert found.low == pytest.approx(wilson_at(0.75, units).low, abs=1e-6)
    assert found.high == pytest.approx(wilson_at(0.75, units).high, abs=1e-6)


def test_a_distance_has_an_interval_of_factors() -> None:
    table = rows(60, hd95=[1.0] * 30 + [3.0] * 30)
    found = metrics(table)["hd95"]
    assert found.value == 2 and found.high / 2 == pytest.approx(2 / found.low)
    half = 2.000995 * math.sqrt(1 / 59)
    assert found.high == pytest.approx(2 * math.exp(half / 2), abs=1e-5)
    nothing = metrics(rows(60, hd95=0.0))["hd95"]
    assert (nothing.low, nothing.high) == (0, pytest.approx(wilson(0, 60).high))


def test_distances_are_in_mm_where_every_image_has_a_spacing() -> None:
    table = rows(12, hd95_mm=1.5)
    assert in_mm(table)
    assert metrics(table)["hd95"].value == 1.5
    table.loc[3, "hd95_mm"] = math.nan
    assert not in_mm(table)
    assert metrics(table)["hd95"].value == 2.0


def test_nothing_to_measure_is_not_a_number() -> None:
    table = rows(4, area=0.0, dice=math.nan, lesions=0.0, predicted_area=0.0)
    found = metrics(table)
    assert not found["dice"].measurable
    assert not found["hd95"].measurable
    assert found["false_positives"].value == 0


def test_the_worst_come_first_then_what_is_invented() -> None:
    table = rows(4, dice=[0.5, 0.1, math.nan, math.nan], area=[9.0, 9.0, 0.0, 0.0])
    table["predicted_area"] = [1.0, 1.0, 0.0, 5.0]
    assert list(worst(table, 9)["path"]) == ["1.png", "0.png", "3.png"]
    assert list(worst(table, 1)["path"]) == ["1.png"]
