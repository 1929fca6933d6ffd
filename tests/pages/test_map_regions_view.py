"""Regions of the saliency map: outlined, measured, said to be no lesion."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.runs.run import Run
from pages._shared.prediction import cases, map_regions_view
from pages._shared.prediction.map_regions_view import (
    choose_threshold,
    find_regions,
    is_cut,
    show_regions,
)
from pages._shared.prediction.measurements import CaseMeasurer
from pages._shared.prediction.prediction_cache import Answer
from tests.dicom_files import dicom_file
from tests.pages.page import said, show_part

SIZE = (40, 80)
"""As shown: rows are twice as far apart as columns."""
PREPROCESSING = Preprocessing(16, colour="grey", fit="pad")


def answer_for(tmp_path: Path, preprocessing: Preprocessing = PREPROCESSING) -> Answer:
    values = np.arange(1600, dtype="<i2").reshape(40, 40)
    content = dicom_file(values, Modality="MR", PixelSpacing=[1.0, 0.5])
    (tmp_path / "scan.dcm").write_bytes(content)
    made: list[Any] = []
    show_part(
        lambda: made.append(
            cases.dataset_case(tmp_path, "scan.dcm", "", Preprocessing(16))
        )
    )
    nothing: Any = None
    scores = np.ones(2, np.float32)
    pixels = np.zeros((16, 16, 1), np.uint8)
    run = Run(tmp_path)
    return Answer(run, "", preprocessing, made[0], pixels, nothing, scores)


def square(at: slice = slice(60, 100)) -> Any:
    """A map of 160 × 160 of which a square is hot."""
    heatmap = np.zeros((160, 160), np.float32)
    heatmap[at, at] = 1
    return heatmap


def shown(answer: Answer, heatmap: Any, threshold: float | None = 0.5) -> str:
    def part() -> None:
        regions = find_regions(answer, heatmap, threshold, SIZE)
        show_regions(answer, regions, threshold, SIZE)

    return said(show_part(part))


def test_a_region_is_measured_in_the_images_own_mm(tmp_path: Path) -> None:
    # Padded to a square of 80: a cell of the map is half a pixel of 0.5 mm, so the
    # square is 20 pixels wide, which is 10 mm.
    text = shown(answer_for(tmp_path), square())
    line = next(line for line in text.splitlines() if "Region 1 of the map" in line)
    area, longest, perpendicular, across, down = map(
        float, re.findall(r"([\d.]+) mm", line)
    )
    assert area == pytest.approx(100, rel=0.02)
    diagonal = 10 * math.sqrt(2)
    assert (longest, perpendicular) == pytest.approx((diagonal, diagonal), abs=0.3)
    assert (across, down) == pytest.approx((10, 10), abs=0.1)
    assert "1 region where the map reaches 50 % of its maximum" in text
    assert "where the network was sensitive, not the outline of a lesion" in text
    assert "by the file's pixel spacing" in text


def test_several_regions_and_their_number(tmp_path: Path) -> None:
    heatmap = square() + square(slice(110, 120))
    text = shown(answer_for(tmp_path), heatmap)
    assert "Region 2 of the map" in text
    assert "The 2 largest regions where the map" in text
    assert "not the outline of a lesion" in text


def test_without_a_threshold_nothing_is_said(tmp_path: Path) -> None:
    assert shown(answer_for(tmp_path), square(), threshold=None) == ""


def test_an_empty_map_is_said(tmp_path: Path) -> None:
    assert "The map is empty" in shown(answer_for(tmp_path), 0 * square())


@pytest.mark.parametrize("step", ["crop", "borders"])
def test_where_borders_are_cut_off_the_place_is_not_known(
    tmp_path: Path, step: str
) -> None:
    cut = Preprocessing(16, steps=(step,))
    answer = answer_for(tmp_path, cut)
    assert is_cut(answer)
    text = shown(answer, square())
    assert "lose their borders" in text and "Region 1" not in text
    assert not is_cut(answer_for(tmp_path, Preprocessing(16, steps=("clahe:2",))))


def test_outlines_go_to_the_viewer(tmp_path: Path) -> None:
    answer, told = answer_for(tmp_path), []

    def part() -> None:
        regions = find_regions(answer, square(), 0.5, SIZE)
        told.append(CaseMeasurer(answer.case, SIZE, regions).facts()["regions"])

    show_part(part)
    ((outline,),) = told
    left, top = np.array(outline).min(axis=0)
    # 60 cells of half a pixel; 20 pixels to the left are padding.
    assert (left, top) == pytest.approx((10, 30), abs=0.5)


def test_a_region_is_sought_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    real = map_regions_view.map_regions

    def count(heatmap: Any, threshold: float, *more: Any) -> Any:
        asked.append(threshold)
        return real(heatmap, threshold, *more)

    monkeypatch.setattr(map_regions_view, "map_regions", count)
    answer = answer_for(tmp_path)

    def part() -> None:
        for threshold in (0.5, 0.5, 0.7):
            find_regions(answer, square(), threshold, SIZE)

    show_part(part)
    assert asked == [0.5, 0.7]


def test_the_threshold_is_chosen_in_per_cent(tmp_path: Path) -> None:
    chosen: list[float | None] = []
    app = show_part(lambda: chosen.append(choose_threshold(Run(tmp_path))))
    assert chosen == [None] and not app.slider
    app.toggle[0].set_value(True).run()
    assert chosen[-1] == 0.5
    app.slider[0].set_value(75).run()
    assert chosen[-1] == 0.75
