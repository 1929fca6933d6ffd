from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.data import datasets, splits
from medmodel.data.datasets import Index
from medmodel.quality import checks

Row = tuple[str, str, str, str, str]


def examined(rows: list[Row], headers: bool = False) -> checks.DatasetReport:
    """The report on (path, label, split, patient, digest) of 10 x 20 PNG."""
    columns = ["path", "label", "split", "patient", "digest"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(error="", width=10, height=20, format="PNG", mode="L")
    split_table = table[["path", "label", "patient", "split"]]
    broken = pd.DataFrame({"path": ["b/x.png"], "label": "b", "split": "train"})
    broken = broken.assign(digest="", error="x.png is empty (0 bytes).", format="")
    broken = broken.assign(mode="", width=0, height=0)
    ignored = pd.DataFrame({"path": ["n.txt"], "reason": ["not an image"]})
    index = Index(Path("/set"), pd.concat([table, broken]), ignored)
    # Nobody put images together.
    index.table[["group", "seen"]] = ""
    index.table["patient"] = index.table["patient"].fillna("") if headers else ""
    index.table["frames"] = 1
    return checks.examine(index, split_table)


CLEAN: list[Row] = [
    ("1", "a", "train", "p1", "d1"),
    ("2", "a", "train", "p1", "d2"),
    ("3", "a", "train", "p2", "d3"),
    ("4", "b", "train", "p3", "d4"),
    ("5", "a", "val", "p4", "d5"),
    ("6", "b", "test", "p5", "d6"),
    ("7", "a", "test", "p6", "d7"),
    ("8", "b", "test", "p5", "d8"),
]


def test_counts_by_hand() -> None:
    report = examined(CLEAN)
    assert report.images == {
        "a": {"train": 3, "val": 1, "test": 1},
        "b": {"train": 1, "val": 0, "test": 2},
    }
    assert report.patients == {
        "a": {"train": 2, "val": 1, "test": 1},
        "b": {"train": 1, "val": 0, "test": 1},
    }
    assert (report.num_images, report.num_patients, report.without_patient) == (8, 6, 0)
    assert report.baseline_class == "a"
    assert report.baseline == pytest.approx(1 / 3)
    assert report.imbalance == 3
    assert report.sizes == [(10, 20, 8)]
    assert report.modes == {"PNG, L": 8}
    assert (report.smallest, report.largest) == ((10, 20), (10, 20))
    assert report.unreadable == [("b/x.png", "x.png is empty (0 bytes).")]
    assert report.ignored == [("n.txt", "not an image")]
    assert report.drawn == []
    assert report.level == "ok"
    assert report.verdict == "No image and no patient occurs in two splits."


def test_of_equally_common_classes_the_baseline_is_the_best() -> None:
    """Always a would get 1 of 3 test images right, always b 2: that is to be beaten."""
    rows = [*CLEAN, ("9", "b", "train", "p7", "d9"), ("z", "b", "train", "p8", "dz")]
    report = examined(rows)
    assert report.images["a"]["train"] == report.images["b"]["train"] == 3
    assert (report.baseline_class, report.baseline_ties) == ("b", ["a"])
    assert report.baseline == pytest.approx(2 / 3)
    assert examined(CLEAN).baseline_ties == []


def changed(number: int, row: Row) -> list[Row]:
    return [*CLEAN[: number - 1], row, *CLEAN[number:]]


@pytest.mark.parametrize(
    ("row", "level", "words"),
    [
        (
            (6, "6", "b", "test", "p5", "d4"),
            "problem",
            "1 of 3 test images is identical to a training",
        ),
        ((5, "5", "a", "val", "p4", "d1"), "warning", "training and validation"),
        ((6, "6", "b", "test", "p3", "d6"), "warning", "1 patient occurs"),
        ((4, "4", "b", "train", "p3", "d1"), "warning", "1 image lies"),
        ((6, "6", "b", "test", "", "d6"), "ok", "the patient of 1 image is unknown"),
        ((2, "2", "a", "train", "p1", "d1"), "ok", "No image and no patient"),
    ],
)
def test_verdict_names_the_worst(
    row: tuple[int, str, str, str, str, str], level: str, words: str
) -> None:
    report = examined(changed(row[0], row[1:]))
    assert report.level == level
    assert words in report.verdict


@pytest.mark.parametrize(
    ("split", "level", "words"),
    [
        ("test", "problem", "By the file headers or a table, 1 patient has"),
        ("val", "warning", "1 patient has images in both training and validation"),
    ],
)
def test_patients_of_headers_on_both_sides(split: str, level: str, words: str) -> None:
    number = 6 if split == "test" else 5
    row = (str(number), "b", split, "p3", f"d{number}")
    report = examined(changed(number, row), headers=True)
    assert report.level == level
    assert words in report.verdict


def test_groups_of_equal_pictures_come_worst_first() -> None:
    rows = changed(2, ("2", "a", "train", "p1", "d1"))
    rows = [*rows, ("9", "b", "train", "p3", "d3"), ("a", "b", "test", "p5", "d4")]
    found = examined(rows).duplicates
    assert [group.paths for group in found] == [["3", "9"], ["4", "a"], ["1", "2"]]
    assert found[0].labels == ["a", "b"]
    assert found[1].splits == ["train", "test"]


def test_report_survives_json() -> None:
    report = examined(changed(2, ("2", "a", "train", "p1", "d1")))
    values = json.loads(json.dumps(asdict(report)))
    assert msgspec.convert(values, checks.DatasetReport) == report


def report_on(folder: Path) -> checks.DatasetReport:
    index = datasets.index_dataset(folder)
    pattern = splits.guess_patient_pattern(index.readable["path"])
    config = TrainConfig(dataset=str(folder), patient_pattern=pattern)
    return checks.examine(index, splits.assign_splits(index, config))


def test_oddities_of_chest_xray(real_data: Callable[[str], Path]) -> None:
    report = report_on(real_data("chest_xray"))
    assert report.num_images == 5840
    assert len(report.duplicates) == 30
    assert report.drawn == ["val"]
    assert report.baseline == pytest.approx(390 / 624)
    assert 2.8 < report.imbalance < 3
    assert len(report.shared_patients) == 170
    assert report.level == "warning"
    assert "170 patients" in report.verdict


def test_oddities_of_blood_cells(real_data: Callable[[str], Path]) -> None:
    report = report_on(real_data("blood_cells"))
    assert report.duplicates[0].labels == ["eosinophil", "neutrophil"]
    assert ("neutrophil/.DS_169665.jpg", "hidden") in report.ignored
    assert report.num_patients == 0
    assert "two labels" in report.verdict


def test_oddities_of_pneumoniamnist(real_data: Callable[[str], Path]) -> None:
    report = report_on(real_data("pneumoniamnist28"))
    assert report.drawn == []
    across = [group for group in report.duplicates if len(group.splits) > 1]
    assert len(across) == 8
    assert len(report.duplicates) == 27
    assert report.level == "warning"


def test_a_volume_is_no_known_patient() -> None:
    rows: list[Row] = [
        ("a/1.nii#axial=3", "a", "train", "a/1.nii", "d1"),
        ("a/2.nii#axial=3", "a", "test", "a/2.nii", "d2"),
        ("b/1.nii#axial=3", "b", "train", "b/1.nii", "d3"),
    ]
    report = examined(rows)
    assert report.level == "ok" and report.num_patients == 3
    assert "two volumes of one person may lie in two splits" in report.verdict
