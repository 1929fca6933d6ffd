"""What is drawn on an image: taken from the browser, measured, said, taken away."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.measurement.measuring import Measured, Statistics
from medmodel.imaging.measurement.shapes import Shape
from pages._shared.common.downloads import csv_text
from pages._shared.prediction import cases, measurements
from pages._shared.prediction.cases import Case
from pages._shared.prediction.measurement_words import facts, label, sentences
from pages._shared.prediction.measurements import (
    MOST_SHAPES,
    CaseMeasurer,
    Drawn,
    drawing_of,
    json_text,
    measurement_table,
    show_downloads,
)
from tests.dicom_files import dicom_file
from tests.pages.page import said, show_part

SIZE = (10, 10)
LINE = {"id": "a", "kind": "line", "name": "Line 1", "points": [[0, 0], [6, 8]]}
BOX = {
    "id": "b",
    "kind": "polygon",
    "name": "=Nodule",
    "points": [[0, 0], [4, 0], [4, 2], [0, 2]],
}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    values = np.arange(100, dtype="<i2").reshape(10, 10)
    content = dicom_file(values, Modality="CT", RescaleSlope=1, PixelSpacing=[0.5, 0.5])
    (tmp_path / "scan.dcm").write_bytes(content)
    made: list[Case] = []
    seen = Preprocessing(16, colour="grey")
    show_part(lambda: made.append(cases.dataset_case(tmp_path, "scan.dcm", "", seen)))
    return made[0]


def answers(case: Case, *sent: Any) -> dict[str, Any]:
    """What the browser is told after it has sent these, one after the other."""
    told: list[dict[str, Any]] = []

    def part() -> None:
        measurer = CaseMeasurer(case, SIZE)
        for each in sent:
            measurer.take(each)
        told.append(measurer.facts())

    show_part(part)
    return told[-1]


def drawn(case: Case, *shapes: Any, known: Any = None) -> dict[str, Any]:
    return {"image": case.key, "shapes": list(shapes), "known": known}


def test_nothing_drawn_says_nothing(case: Case) -> None:
    told = answers(case)
    assert (told["shapes"], told["numbers"], told["known"]) == ([], {}, None)
    assert (told["sentences"], told["error"], told["regions"]) == ([], "", [])


def test_shapes_come_back_with_their_numbers(case: Case) -> None:
    told = answers(case, drawn(case, LINE, BOX))
    assert [shape["name"] for shape in told["shapes"]] == ["Line 1", "=Nodule"]
    line, box = told["numbers"]["a"], told["numbers"]["b"]
    assert json.loads(json.dumps(line["points"])) == LINE["points"]
    assert (line["label"], line["facts"]) == ("5.00 mm", ["Length 5.00 mm"])
    assert box["facts"] == [
        "Area 2.00 mm²",
        "Perimeter 6.00 mm",
        "Mean 6.50 HU",
        "SD 5.12",
        "Minimum 0.00",
        "Maximum 13.0",
        "n = 8 pixels",
    ]
    (sentence,) = told["sentences"]
    assert sentence.startswith("In mm by the file's pixel spacing: 0.5 mm from row")


def test_a_known_length_counts_for_all_until_it_is_undone(case: Case) -> None:
    known = {"id": "a", "millimetres": 100}
    told = answers(case, drawn(case, LINE, BOX, known=known))
    assert told["known"] == {"id": "a", "millimetres": 100.0}
    assert told["numbers"]["a"]["label"] == "100.0 mm"
    assert told["numbers"]["b"]["label"] == "800.0 mm²"
    assert told["sentences"][0].startswith("Calibrated by hand")
    again = drawn(case, LINE, BOX)
    told = answers(case, drawn(case, LINE, BOX, known=known), again)
    assert told["numbers"]["a"]["label"] == "5.00 mm"


@pytest.mark.parametrize(
    "known",
    [
        {"id": "b", "millimetres": 100},  # no line
        {"id": "z", "millimetres": 100},
        {"id": "a", "millimetres": 0},
        {"id": "a", "millimetres": -1},
        {"id": "a", "millimetres": float("nan")},
        {"id": "a", "millimetres": 1e9},
        {"id": "a", "millimetres": "5"},
        {"id": "a", "millimetres": True},
        {"id": "a"},
        "a",
    ],
)
def test_what_is_no_known_length_calibrates_nothing(case: Case, known: Any) -> None:
    told = answers(case, drawn(case, LINE, BOX, known=known))
    assert told["known"] is None
    assert told["numbers"]["a"]["label"] == "5.00 mm"


def test_a_line_without_length_calibrates_nothing(case: Case) -> None:
    point = LINE | {"points": [[3, 3], [3, 3]]}
    known = {"id": "a", "millimetres": 100}
    told = answers(case, drawn(case, point, known=known))
    assert told["known"] is None and told["numbers"]["a"]["label"] == "0.00 mm"


@pytest.mark.parametrize(
    "sent", [None, "x", [], {}, {"image": "another", "shapes": [LINE]}]
)
def test_what_is_not_of_this_image_changes_nothing(case: Case, sent: Any) -> None:
    told = answers(case, drawn(case, LINE), sent)
    assert [shape["id"] for shape in told["shapes"]] == ["a"]


def test_what_is_no_shape_is_left_out(case: Case) -> None:
    odd: list[Any] = [
        None,
        "line",
        LINE | {"kind": "circle"},
        LINE | {"points": [[0, 0]]},
        LINE | {"name": 5},
        LINE | {"id": None},
    ]
    told = answers(case, drawn(case, *odd, BOX))
    assert [shape["id"] for shape in told["shapes"]] == ["b"]
    assert answers(case, {"image": case.key, "shapes": "all"})["shapes"] == []


def test_names_and_their_number_have_an_end(case: Case) -> None:
    many = [LINE | {"id": str(n), "name": "x" * 99} for n in range(MOST_SHAPES + 1)]
    told = answers(case, drawn(case, *many))
    assert len(told["shapes"]) == MOST_SHAPES
    assert {len(shape["name"]) for shape in told["shapes"]} == {40}


def test_only_what_is_new_is_measured(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = measurements.measure

    def count(*arguments: Any, **more: Any) -> list[Measured]:
        asked.append(len(arguments[3]))
        return real(*arguments, **more)

    monkeypatch.setattr(measurements, "measure", count)

    def part() -> None:
        measurer = CaseMeasurer(case, SIZE)
        # Drawn, drawn anew, another one, a name changed, both, one removed.
        for sent in (
            drawn(case, LINE),
            drawn(case, LINE, BOX),
            drawn(case, LINE | {"name": "Longest"}, BOX),
            drawn(case, BOX),
        ):
            measurer.take(sent)
            measurer.facts()
        assert len(drawing_of(case).numbers) == 1

    show_part(part)
    assert asked == [1, 1]


def test_a_file_that_is_gone_is_said_and_nothing_is_lost(
    case: Case, tmp_path: Path
) -> None:
    (tmp_path / "scan.dcm").unlink()
    told = answers(case, drawn(case, LINE))
    assert told["error"] == "The image scan.dcm is not in the data set any more."
    assert told["numbers"] == {} and len(told["shapes"]) == 1


def test_tables_hold_every_number_and_no_formula(case: Case) -> None:
    tables: list[pd.DataFrame] = []

    def part() -> None:
        measurer = CaseMeasurer(case, SIZE)
        measurer.take(drawn(case, LINE, BOX))
        measurer.facts()
        tables.append(measurement_table(case, drawing_of(case).measured(), SIZE))

    show_part(part)
    rows = pd.read_csv(io.StringIO(csv_text(tables[0])))
    line, box = rows.to_dict("records")
    assert (line["image"], line["name"], line["kind"]) == ("scan.dcm", "Line 1", "line")
    assert (line["length"], line["unit"], line["row_spacing"]) == (5, "mm", 0.5)
    assert np.isnan(line["area"]) and np.isnan(line["mean"])
    assert box["name"] == "'=Nodule"
    assert (box["area"], box["perimeter"], box["pixels"]) == (2, 6, 8)
    assert (box["mean"], box["minimum"], box["maximum"]) == (6.5, 0, 13)
    assert (box["value_unit"], box["pixel_size_from"]) == ("HU", "pixel spacing")
    first, second = json.loads(json_text(tables[0]))
    assert first["points"] == LINE["points"] and first["area"] is None
    assert second["standard_deviation"] == pytest.approx(5.1234754)
    assert second["name"] == "=Nodule"


@pytest.mark.parametrize(
    ("kind", "frames", "frame", "number", "axis"),
    [
        ("DICOM", 1, -1, 1, ""),
        ("DICOM", 5, 3, 4, ""),
        ("NIfTI", 11, -1, 6, "axial"),
        ("NIfTI", 11, 0, 1, "axial"),
    ],
)
def test_a_row_says_which_image_of_the_file_it_was(
    case: Case, kind: str, frames: int, frame: int, number: int, axis: str
) -> None:
    file = replace(case.file, format=kind)
    shown = replace(case, file=file, frames=frames, frame=frame)
    drawn_line = Drawn("a", "Line 1", Shape("line", ((0, 0), (3, 4))))
    table = measurement_table(shown, [(drawn_line, measured(length=5.0))], SIZE)
    assert table[["frame", "axis"]].iloc[0].tolist() == [number, axis]


def test_files_are_offered_once_there_is_something(case: Case) -> None:
    def part(*shapes: Any) -> Any:
        def shown() -> None:
            measurer = CaseMeasurer(case, SIZE)
            measurer.take(drawn(case, *shapes))
            measurer.facts()
            show_downloads(case, SIZE)

        return shown

    assert "session ends" not in said(show_part(part()))
    assert "gone when this session ends" in said(show_part(part(LINE)))


def measured(source: Any = "none", mm: bool = False, **numbers: Any) -> Measured:
    sizes = {"row_spacing": 1.0, "column_spacing": 1.0}
    return Measured(source=source, in_mm=mm, **sizes | numbers)


def test_numbers_without_mm_are_in_pixels() -> None:
    assert label(measured(length=12.345)) == "12.3 px"
    assert label(measured(area=1234.56)) == "1,234.6 px²"
    assert label(measured(perimeter=2, crosses_itself=True)) == "2.00 px"
    assert label(measured(angle=90.0)) == "90.0°"
    assert facts(measured(angle=0.0)) == ["Angle 0.00°"]
    assert facts(measured(diameters=(8.0, 6.0), area=37.7))[0] == (
        "Diameters 8.00 × 6.00 px"
    )


def test_what_cannot_be_measured_is_said() -> None:
    assert facts(measured()) == ["A leg of the angle has no length."]
    crossing = facts(measured(perimeter=9.0, crosses_itself=True))
    assert crossing[-1] == "The outline crosses itself: no area, no values."
    assert facts(measured(area=0.1))[-1] == "No pixel with a value inside."


def test_of_angles_nobody_asks_whose_mm() -> None:
    turned = measured(angle=5.0)
    assert sentences([turned]) == []
    assert len(sentences([turned, measured(length=5.0)])) == 1


def test_values_without_a_unit_have_none() -> None:
    values = Statistics(1, 2.0, 0.0, 2.0, 2.0)
    texts = facts(measured(area=1.0, statistics=values))
    assert "Mean 2.00" in texts
    named = measured(area=1.0, statistics=values, value_unit="grey levels")
    assert "Mean 2.00 grey levels" in facts(named)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none", "In pixels: the file does not say"),
        ("outside", "not wholly within one calibrated region"),
        ("disagreement", "contradicts itself"),
    ],
)
def test_why_there_are_no_mm(source: Any, words: str) -> None:
    (sentence,) = sentences([measured(source), measured(source)])
    assert words in sentence and "mm" not in sentence and "width" not in sentence
    (oblong,) = sentences([measured(source, row_spacing=2.0)])
    assert "2 times as high as wide" in oblong


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("pixel spacing", "by the file's pixel spacing"),
        ("uncalibrated", "does not say whether magnification"),
        ("detector", "at the detector plane"),
        ("magnification", "estimated magnification factor"),
        ("ultrasound", "ultrasound region's calibration"),
        ("affine", "by the volume's affine"),
        ("voxel size", "neither sform nor qform"),
        ("hand", "Calibrated by hand"),
    ],
)
def test_whose_mm_they_are(source: Any, words: str) -> None:
    sizes = {"row_spacing": 0.25, "column_spacing": 0.125}
    (sentence,) = sentences([measured(source, mm=True, **sizes)])
    assert words in sentence and "0.25 mm" in sentence and "0.125 mm" in sentence
    assert "as wide" not in sentence
