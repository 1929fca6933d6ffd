"""Test images of a segmentation in numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.segmentation.evaluation import evaluate_segmentation
from medmodel.runs.tables.segmentation import SEGMENTATION_COLUMNS


def table(*rows: tuple[str, str, str, str, float]) -> pd.DataFrame:
    """Rows of path, patient, split, class, Dice."""
    lines = [[*row, row[4], 1, 1, 9, 9, 1, 1, 1] for row in rows]
    return pd.DataFrame(lines, columns=list(SEGMENTATION_COLUMNS))


def test_every_class_has_its_metrics_and_images_count_once() -> None:
    rows = [
        ("a", "p1", "test", "value 1", 0.5),
        ("a", "p1", "test", "value 2", 0.7),
        ("b", "p1", "test", "value 1", 1.0),
        ("b", "p1", "test", "value 2", 0.9),
        ("c", "p2", "val", "value 1", 0.1),
        ("d", "p3", "copy", "value 1", 0.1),
    ]
    evaluation = evaluate_segmentation(table(*rows))
    assert evaluation.classes == ["value 1", "value 2"]
    assert (evaluation.images, evaluation.patients) == (2, 1)
    dice = [m["dice"].value for m in evaluation.metrics.values()]
    assert dice == pytest.approx([0.75, 0.8])


def test_patients_count_only_where_all_are_known() -> None:
    rows = [("a", "p1", "test", "lesion", 1.0), ("b", "", "test", "lesion", 1.0)]
    assert evaluate_segmentation(table(*rows)).patients == 0


def test_without_test_images_there_is_nothing_to_say() -> None:
    with pytest.raises(DataError, match="There is no test image"):
        evaluate_segmentation(table(("a", "p", "val", "lesion", 1.0)))
