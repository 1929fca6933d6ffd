"""Means over images with intervals that draw patients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.evaluation.segmentation.summary import FEWEST, in_mm, metrics, worst


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
    alone, grouped = metrics(rows(60))["dice"], metrics(rows(60, patients=12))["dice"]
    assert alone.low < alone.value < alone.high
    # All images of a patient alike: five times the images tell nothing more.
    table = rows(60, patients=12)
    table["dice"] = np.linspace(0.4, 0.9, 12)[np.arange(60) % 12]
    alike = metrics(table)["dice"]
    assert alike.high - alike.low > 1.8 * (alone.high - alone.low)
    assert not math.isnan(grouped.low)


def test_a_share_of_all_or_none_has_an_interval_with_width() -> None:
    found = metrics(rows(20, found=2.0))["lesion_sensitivity"]
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 20))  # 0.83
    empty = rows(30, area=0.0, predicted_area=0.0, dice=math.nan)
    invented = metrics(empty)["false_positives"]
    assert (invented.value, invented.low) == (0, 0)
    assert invented.high == pytest.approx(1 - 0.025 ** (1 / 30))


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST])
def test_with_too_few_patients_there_is_no_interval(count: int) -> None:
    estimate = metrics(rows(40, patients=count))["dice"]
    assert estimate.has_interval == (count == FEWEST)
    if not estimate.has_interval:
        assert estimate.too_few is not None
        assert (estimate.too_few.count, estimate.too_few.of_patients) == (9, True)


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
