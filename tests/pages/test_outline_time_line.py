"""Follow-up's time line with a segmentation: sentences, table, RECIST, the page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.evaluation.clinical.outline_series import outline_visits
from medmodel.runs.run import Run
from pages._shared.prediction import segmentation_answer
from pages._shared.reading import outline_time_line as view
from pages._shared.reading import time_line_view
from tests.data.segmentation.masked_folder import draw_disc, draw_masked_folder
from tests.dicom_files import dicom_file
from tests.pages.page import open_page, press, said
from tests.segmented_run import STRANGE, BrightOutliner, write_segmented_run

DAYS = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1)]


def image(day: date, pixels: int, *diameters: float, **facts: Any) -> Any:
    pairs = np.array([(d, d / 2) for d in diameters]).reshape(-1, 2)
    known = {"unlike": False, "pixel_mm2": 0.25} | facts
    return view.OutlinedImage(
        day, f"{day}.dcm", pixels=pixels, regions=len(pairs), diameters=pairs, **known
    )


IMAGES = [image(DAYS[0], 400, 20.0), image(DAYS[1], 0), image(DAYS[2], 600, 30.0, 6.0)]


def test_the_last_change_in_words() -> None:
    visits = view._visits(IMAGES, "mm", 0.07)
    assert view.outline_sentences("nodule", visits, "mm") == [
        "nodule: outlined area 100.0 to 150.0 mm² (+50 %) in 121 days.",
        "Longest diameter of the largest outline: 10.0 to 15.0 mm (+50 %).",
    ]
    near = outline_visits(DAYS[:2], [0, 5], [[20.0], [21.0]])
    area, diameter = view.outline_sentences("nodule", near, "px")
    assert area == "nodule: outlined area 0.00 to 5.00 px² in 60 days."
    assert diameter.endswith("(+5 %), a change within the error of measuring.")
    next_day = outline_visits([DAYS[0], date(2024, 1, 2)], [4, 5], [[20.0], [21.0]])
    (area, _diameter) = view.outline_sentences("nodule", next_day, "px")
    assert area == "nodule: outlined area 4.00 to 5.00 px² (+25 %) in 1 day."
    assert "Fewer than two" in view.outline_sentences("nodule", near[:1], "px")[0]


def test_one_file_without_a_scale_leaves_pixels() -> None:
    images = [*IMAGES[:2], image(DAYS[2], 600, 30.0, pixel_mm2=None)]
    assert view.unit_of(IMAGES) == "mm" and view.unit_of(images) == "px"
    assert [visit.area for visit in view._visits(images, "px", 0.07)] == [400, 0, 600]


def test_table_has_a_line_for_each_image() -> None:
    strange = image(DAYS[1], 50, 3.0, unlike=True, size=12.5)
    told = [IMAGES[0], IMAGES[2]]
    table = view.outline_table(
        "nodule",
        [IMAGES[0], strange, IMAGES[2]],
        view._visits(told, "mm", 0.07),
        "mm",
    )
    assert list(table["Area of nodule in mm²"]) == [
        *("100.0", "unlike the training data", "150.0")
    ]
    assert list(table["Outlines"]) == ["1", "–", "2"]
    assert list(table["Area since the first"]) == ["–", "–", "+50 %"]
    assert list(table["Size in mm"]) == ["–", "12.5", "–"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs"))


def opened(monkeypatch: pytest.MonkeyPatch, outliner: BrightOutliner) -> Any:
    """The time line of three scans, in which a disc grows."""

    class File:
        def __init__(self, number: int) -> None:
            self.name = f"ct_{DAYS[number]}.dcm"
            self.file_id = str(number)
            disc = draw_disc((60, 60), (30, 30), 8 + 4 * number) * np.uint8(200)
            self.content = dicom_file(disc, PixelSpacing=[0.5, 0.5], Modality="CT")

        def getvalue(self) -> bytes:
            return self.content

    files = [File(number) for number in (2, 0, 1)]
    monkeypatch.setattr(time_line_view, "uploaded_files", lambda *_: files)
    monkeypatch.setattr(segmentation_answer, "shared", lambda: outliner)
    app = open_page("results/follow_up.py")
    app.get("button_group")[0].set_value("Images over time").run()
    press(app, "I understand")
    app.get("button_group")[1].set_value("names").run()
    assert not app.exception
    return app


@pytest.mark.usefixtures("run")
def test_a_disc_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, BrightOutliner())
    text = said(app).replace("\\", "")
    assert "lesion: outlined area 4" in text and " mm² (+3" in text
    assert "Longest diameter of the largest outline: 8." in text
    assert "In mm by the file's pixel spacing" in text and "mean Dice" in text
    assert "RECIST 1.1, and no more" not in text
    app.toggle(key="time-line-targets").set_value(True).run()
    assert not app.exception
    text = said(app).replace("\\", "")
    assert "At the last date: progressive disease (PD)" in text
    assert "no diagnosis" in text


@pytest.mark.usefixtures("run")
def test_of_strangers_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, BrightOutliner(STRANGE))
    assert "Fewer than two of these images resemble" in said(app)
    assert not [toggle for toggle in app.toggle if toggle.key == "time-line-targets"]
    assert set(app.dataframe[-1].value["Outlines"]) == {"–"}
