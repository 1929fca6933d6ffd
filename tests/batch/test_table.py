"""A batch's table: what is written, what the model says of it, orders, files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.batch import table
from medmodel.batch.table import ImageRow
from medmodel.core.errors import RunError
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    store_temperature,
)
from medmodel.evaluation.decision.frozen_thresholds import freeze_thresholds
from medmodel.evaluation.decision.thresholds import Rule
from medmodel.runs.run import Run
from medmodel.runs.status import DecisionThreshold
from tests.finished_run import write_finished_run

ROWS = [
    ImageRow("a.png", "ill", scores=[0.9, 0.1], unlike_training=False, distance=1.0),
    ImageRow("b.png", "well", scores=[0.6, 0.4], unlike_training=True, distance=0.5),
    ImageRow("=c.png", problem="c.png is empty (0 bytes)."),
    ImageRow("d.png", scores=[0.45, 0.55], unlike_training=False, distance=3.0),
    ImageRow("e.png", "ill", split="train", scores=[0.5, 0.5], frame=2, frames=5),
]
CLASSES = ["ill", "well"]


@pytest.fixture
def batch(tmp_path: Path) -> Run:
    folder = tmp_path / "batches" / "one"
    folder.mkdir(parents=True)
    table.append(folder / table.FILE, CLASSES, ROWS)
    return Run(folder)


def test_what_was_written_is_read(batch: Run) -> None:
    rows = table.read(batch)
    assert list(rows["path"]) == [row.path for row in ROWS]
    assert list(rows["unlike_training"].fillna(-1)) == [0, 1, -1, 0, -1]
    assert rows["score_ill"].isna().tolist() == [False, False, True, False, False]
    assert (
        rows["frame"][4] == 2 and rows["frames"][4] == 5 and rows["split"][4] == "train"
    )


def test_names_like_missing_values_are_names(tmp_path: Path) -> None:
    row = ImageRow("NA", "None", scores=[1.0], why_unlike="nan")
    table.append(tmp_path / table.FILE, ["None"], [row])
    read = table.described(table.read(Run(tmp_path)), None)
    assert list(read.loc[0, ["path", "label", "why_unlike", "predicted"]]) == [
        *("NA", "None", "nan", "None")
    ]


def test_before_the_first_line_it_is_empty(tmp_path: Path) -> None:
    rows = table.described(table.read(Run(tmp_path)), None)
    assert len(rows) == 0 and "predicted" in rows
    (tmp_path / table.FILE).write_text("path,lab")
    assert len(table.read(Run(tmp_path))) == 0


def test_a_line_that_is_being_written_does_not_count_yet(batch: Run) -> None:
    with (batch.folder / table.FILE).open("a") as file:
        file.write("f.png,,")
    assert len(table.read(batch)) == len(ROWS)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "\0\xff\n", "path\n"])
def test_a_damaged_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / table.FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"batch.csv is damaged"):
        table.read(Run(tmp_path))


def test_orders(batch: Run) -> None:
    rows = table.described(table.read(batch), None)

    def paths(order: table.Order) -> list[str]:
        return [path[0] for path in table.ordered(rows, order)["path"]]

    # Unlike the training data first, then by distance; last what is not known.
    assert paths("strangest") == ["b", "d", "a", "e"]
    assert paths("uncertain") == ["e", "d", "b", "a"]
    # Scores of their own class: b 0.4, e 0.5, a 0.9; d has none.
    assert paths("worst") == ["b", "e", "a"]
    assert rows["label_score"].fillna(0).tolist() == [0.9, 0.4, 0, 0, 0.5]


def test_without_model_there_are_scores_alone(batch: Run) -> None:
    rows = table.described(table.read(batch), None)
    assert list(rows["predicted"]) == ["ill", "ill", "", "well", "ill"]
    assert rows["score"].fillna(0).tolist() == [0.9, 0.6, 0, 0.55, 0.5]
    assert rows["tied"].fillna(-1).tolist() == [0, 0, -1, 0, 1]
    assert not [
        n
        for n in map(str, rows)
        if n.startswith(("in_set_", "flagged_", "calibrated_"))
    ]


def test_with_model_sets_flags_and_calibration(batch: Run, class_folders: Path) -> None:
    for name, other in (("dark", "ill"), ("light", "well")):
        (class_folders / name).rename(class_folders / other)
    model = write_finished_run(class_folders, "model")
    store_temperature(model, Temperature(2.0, 1.0, 3.0, 8, False))
    freeze_thresholds(model, Rule("youden"), {"ill": 0.6, "well": float("nan")})
    rows = table.described(table.read(batch), model)
    assert list(rows["flagged_ill"].fillna(-1)) == [1, 1, -1, 0, 0]
    assert "flagged_well" not in rows
    # A temperature of 2: the odds 9 become 3.
    assert rows["calibrated_ill"][0] == pytest.approx(0.75)
    assert rows["score"][0] == pytest.approx(0.75)
    fitted = table.prediction_sets(model, CLASSES)
    assert fitted is not None and fitted.coverage == table.COVERAGE
    inside = fitted.sets(np.array([ROWS[0].scores]))[0]
    assert list(rows.loc[0, ["in_set_ill", "in_set_well"]]) == [*inside]
    assert np.isnan(rows["in_set_ill"][2])
    assert table.prediction_sets(model, ["other", "classes"]) is None


def test_files_to_take_away(batch: Run) -> None:
    rows = table.exported(table.described(table.read(batch), None))
    text = table.csv_bytes(rows).decode()
    lines = text.splitlines()
    assert lines[0].split(",")[:9] == [
        *("path", "label", "problem", "split", "frame", "frames"),
        *("unlike_training", "farther_than", "why_unlike"),
    ]
    assert lines[3].startswith("'=c.png,,c.png is empty (0 bytes).,,1,1,,")
    assert lines[5].split(",")[3:7] == ["train", "3", "5", ""]
    assert lines[2].split(",")[6] == "True"
    parquet = pd.read_parquet(io.BytesIO(table.parquet_bytes(rows)))
    assert list(parquet.columns) == lines[0].split(",") and len(parquet) == len(ROWS)
    assert parquet["path"][2] == "=c.png"
    assert str(parquet["unlike_training"].dtype) == "boolean"


def test_a_threshold_tells_the_predicted_class(batch: Run, class_folders: Path) -> None:
    model = write_finished_run(class_folders, "model")
    facts = replace(model.model_facts, class_names=CLASSES)
    threshold = DecisionThreshold("ill", 0.7)
    model.write_model_facts(replace(facts, threshold=threshold))
    model.predictions_path.unlink()
    rows = table.described(table.read(batch), model)
    assert list(rows["predicted"]) == ["ill", "well", "", "well", "well"]
    assert rows["score"][1] == pytest.approx(0.4)
