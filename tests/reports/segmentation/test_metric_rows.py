"""Metrics of a segmentation as a table to take away."""

from __future__ import annotations

import pandas as pd

from medmodel.evaluation.segmentation.evaluation import evaluate_segmentation
from medmodel.reports.segmentation.metric_rows import metric_table
from medmodel.runs.tables.segmentation import SEGMENTATION_COLUMNS

NAN = float("nan")


def test_a_distance_in_pixels_does_not_stand_beside_one_in_mm() -> None:
    own = ["1.png", "p", "test", "lesion", 0.8, 0.7, 1, 1, 100, 90, 2.0, 4.0, NAN]
    names = list(SEGMENTATION_COLUMNS)
    rows = pd.DataFrame([own], columns=names).assign(hd95=2.0, hd95_mm=4.0)
    copy = rows.assign(path="2.png", hd95=6.0, hd95_mm=NAN)
    table = metric_table(
        evaluate_segmentation(rows), "", evaluate_segmentation(pd.concat([rows, copy]))
    ).set_index("metric")
    assert table.loc["HD95, mm", "value"] == 4.0
    assert table["value_with_copies"].isna()["HD95, mm"]
    assert table.loc["Dice", "n_images_with_copies"] == 2
