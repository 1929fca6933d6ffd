"""A scan as on a viewing station: which window, which frame, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.images import Pixels, decode, png_bytes
from medmodel.imaging.windows import WINDOWS, Window, apply_window
from pages._shared.prediction import cases, scan_view
from pages._shared.prediction.cases import Case
from pages._shared.prediction.scan_view import OWN, RANGE, choose_frame, show_scan
from tests.dicom_files import dicom_file
from tests.imaging.dicom.test_reading import lookup
from tests.pages.page import field, said, show_part
from tests.volumes import draw_volumes

HOUNSFIELD = np.arange(-1024, 3072, dtype="<i2").reshape(64, 64)
FOR_YOUR_EYES = "the model sees the window of its training"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Pixels, str]]:
    """The images that were shown, each with its caption."""
    images: list[tuple[Pixels, str]] = []
    monkeypatch.setattr(
        scan_view,
        "show_image",
        lambda pixels, caption, alt: images.append((pixels, caption)),
    )
    return images


def as_case(tmp_path: Path, content: bytes, name: str = "scan.dcm") -> Case:
    (tmp_path / name).write_bytes(content)
    return cases.dataset_case(tmp_path, name, "", Preprocessing(16, colour="grey"))


def opened(case: Case) -> AppTest:
    return show_part(lambda: show_scan(choose_frame(case), "This scan"))


def move(app: AppTest, label: str, value: float) -> None:
    next(s for s in app.slider if s.label.startswith(label)).set_value(value).run()
    assert not app.exception and not app.error


def test_a_ct_scan_through_windows_by_name_and_by_hand(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    ct = dicom_file(HOUNSFIELD, Modality="CT", WindowCenter=100, WindowWidth=200)
    app = opened(as_case(tmp_path, ct))
    pixels, caption = shown[-1]
    assert (pixels[..., 0] == apply_window(HOUNSFIELD, Window(100, 200))).all()
    assert caption == "scan.dcm, 64 × 64 pixels, DICOM, centre 100, width 200 HU"
    assert FOR_YOUR_EYES in said(app)
    box = field(app, "Window")
    assert box.options[:3] == [OWN, RANGE, "Lung (-600 / 1500 HU)"]
    assert len(box.options) == 2 + len(WINDOWS)
    box.set_value("lung").run()
    pixels, caption = shown[-1]
    assert (pixels[..., 0] == apply_window(HOUNSFIELD, WINDOWS["lung"])).all()
    assert caption.endswith("centre -600, width 1500 HU")
    limits = [(slider.min, slider.max, slider.step) for slider in app.slider]
    assert limits == [(-1024, 3071, 1), (1, 4095, 1)]
    move(app, "Centre", -500)
    move(app, "Width", 1000)
    pixels, caption = shown[-1]
    by_hand = Window(-500, 1000, "LINEAR_EXACT")
    assert (pixels[..., 0] == apply_window(HOUNSFIELD, by_hand)).all()
    assert caption.endswith("centre -500, width 1000 HU")
    # Another window starts with its own centre and width.
    field(app, "Window").set_value("bone").run()
    pixels, _ = shown[-1]
    assert (pixels[..., 0] == apply_window(HOUNSFIELD, WINDOWS["bone"])).all()


def test_the_sliders_reach_a_window_that_lies_outside_the_values(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    values = np.arange(100, 116, dtype="<i2").reshape(4, 4)
    window = {"WindowCenter": -1000, "WindowWidth": 2500}
    app = opened(as_case(tmp_path, dicom_file(values, Modality="CT", **window)))
    center, width = app.slider
    assert (center.min, center.max, center.value) == (-1000, 115, -1000)
    assert (width.max, width.value) == (2500, 2500)
    # Fifteen units are fewer than 200 steps of one.
    assert center.step == width.step == width.min == 15 / 200


def test_a_magnetic_resonance_scan_has_no_hounsfield_units(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    mr = dicom_file(HOUNSFIELD + 1024, Modality="MR", WindowCenter=9, WindowWidth=9)
    app = opened(as_case(tmp_path, mr))
    assert shown[-1][1].endswith("centre 9, width 9")
    assert field(app, "Window").options == [OWN, RANGE]
    field(app, "Window").set_value(RANGE).run()
    # Of 0 to 4095, half a per cent is left out at either end.
    assert shown[-1][1].endswith("centre 2047.5, width 4054.05")


def test_a_scan_that_is_nearly_all_of_one_value_still_has_a_width(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    values = np.full((20, 20), 7, "<i2")
    values[0, 0] = 8
    app = opened(as_case(tmp_path, dicom_file(values, Modality="MR")))
    field(app, "Window").set_value(RANGE).run()
    assert not app.exception and not app.error
    assert shown[-1][1].endswith("centre 7, width 1e-06")


def test_a_lookup_table_has_no_centre(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    table: Any = lookup(0, 8, 0, 51, 102, 255)
    values = np.arange(16, dtype="<u2").reshape(4, 4)
    app = opened(as_case(tmp_path, dicom_file(values, VOILUTSequence=[table])))
    pixels, caption = shown[-1]
    assert pixels.ravel().tolist() == [0, 51, 102, *[255] * 13]
    assert caption.endswith("lookup table of the file") and not app.slider


def test_a_photograph_has_no_window(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    app = opened(as_case(tmp_path, png_bytes(pixels), "photo.png"))
    assert (shown[-1][0] == pixels).all()
    assert shown[-1][1] == "photo.png, 4 × 4 pixels, PNG"
    assert not app.selectbox and not app.slider and FOR_YOUR_EYES not in said(app)


def test_a_file_that_cannot_be_read_any_more_is_one_sentence(
    tmp_path: Path, shown: list[tuple[Pixels, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = as_case(tmp_path, dicom_file(HOUNSFIELD))
    object.__setattr__(case, "source", b"nothing")
    app = opened(case)
    assert "scan.dcm" in said(app) and len(app.error) == 1 and not shown


def test_frames_are_counted_from_one(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "echo.dcm"
    app = opened(as_case(tmp_path, file.read_bytes()))
    assert (shown[-1][0] == decode(file, frame=0).pixels).all()
    slider = app.slider[0]
    assert (slider.label, slider.value, slider.max) == ("Frame of 4", 1, 4)
    assert "asked about this frame alone" in slider.help
    move(app, "Frame", 3)
    assert (shown[-1][0] == decode(file, frame=2).pixels).all()
    move(app, "Frame", 1)
    assert (shown[-1][0] == decode(file, frame=0).pixels).all()


def test_a_volume_opens_at_its_middle_slice(
    tmp_path: Path, shown: list[tuple[Pixels, str]]
) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "0.nii"
    app = opened(as_case(tmp_path, file.read_bytes(), "v.nii"))
    slider = app.slider[0]
    assert (slider.label, slider.value, slider.max) == ("Slice of 12, axial", 7, 12)
    assert (shown[-1][0] == decode(file).pixels).all()
    move(app, "Slice", 5)
    assert (shown[-1][0] == decode(file, frame=4).pixels).all()


def test_a_chosen_frame_is_where_the_slider_starts(tmp_path: Path) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "0.nii"
    case = as_case(tmp_path, file.read_bytes(), "v.nii")
    chosen: list[Case] = []
    app = show_part(lambda: chosen.append(choose_frame(cases.at_frame(case, 2))))
    assert app.slider[0].value == 3 and chosen[-1].frame == 2
    move(app, "Slice", 12)
    assert chosen[-1].frame == 11
