"""A scan as on a viewing station: which window, which frame, and what is said of it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.benchmark.odd_files.tiff_variants import tiff
from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.images import decode, png_bytes
from medmodel.imaging.windows import WINDOWS, Window, apply_window
from pages._shared.prediction import cases, prediction_view, scan_view
from pages._shared.prediction.cases import Case
from pages._shared.prediction.image_viewer import NamedWindow
from pages._shared.prediction.prediction_view import show_original
from pages._shared.prediction.scan_view import ALL, OWN, RANGE, choose_frame
from tests.dicom_files import dicom_file
from tests.imaging.dicom.test_reading import lookup
from tests.pages.page import said, show_part
from tests.volumes import draw_volumes

HOUNSFIELD = np.arange(-1024, 3072, dtype="<i2").reshape(64, 64)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each viewer that was shown."""
    viewers: list[dict[str, Any]] = []
    monkeypatch.setattr(
        prediction_view, "show_viewer", lambda **viewer: viewers.append(viewer)
    )
    return viewers


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Files sent to the browser, by the place that they are shown at."""
    sent: dict[str, bytes] = {}

    def send(data: bytes, mimetype: str, place: str) -> str:
        sent[place] = data
        return f"/media/{place}"

    monkeypatch.setattr(scan_view, "media_url", send)
    return sent


def as_case(tmp_path: Path, content: bytes, name: str = "scan.dcm") -> Case:
    (tmp_path / name).write_bytes(content)
    return cases.dataset_case(tmp_path, name, "", Preprocessing(16, colour="grey"))


def opened(case: Case) -> AppTest:
    return show_part(lambda: show_original(choose_frame(case)))


def move(app: AppTest, label: str, value: float) -> None:
    next(s for s in app.slider if s.label.startswith(label)).set_value(value).run()
    assert not app.exception and not app.error


def test_a_ct_scan_comes_with_its_window_those_by_name_and_its_values(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    ct = dicom_file(HOUNSFIELD, Modality="CT", WindowCenter=100, WindowWidth=200)
    opened(as_case(tmp_path, ct))
    (layer,) = shown[-1]["layers"]
    assert (layer.pixels[..., 0] == apply_window(HOUNSFIELD, Window(100, 200))).all()
    assert layer.caption == "scan.dcm, 64 × 64 pixels, DICOM"
    assert shown[-1]["size"] == (64, 64)
    values = shown[-1]["values"]
    assert values.presets[0] == NamedWindow(OWN, 100, 200, "LINEAR")
    assert values.presets[1].name == RANGE
    assert values.presets[2] == NamedWindow("Lung (-600 / 1500 HU)", -600, 1500)
    assert len(values.presets) == 2 + len(WINDOWS)
    assert (values.low, values.high, values.least) == (-1024, 3071, 1)
    assert (values.unit, values.inverted) == ("HU", False)
    (sent,) = files.values()
    stored = np.frombuffer(gzip.decompress(sent), "<u2")
    assert values.slope == 1
    assert (stored + values.intercept == HOUNSFIELD.ravel()).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_has_windows_and_no_hounsfield_units(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes], suffix: str
) -> None:
    deep = (HOUNSFIELD + 1024).astype(np.uint16)
    content = imagecodecs.png_encode(deep) if suffix == "png" else tiff(deep)
    opened(as_case(tmp_path, bytes(content), f"deep.{suffix}"))
    (layer,) = shown[-1]["layers"]
    values = shown[-1]["values"]
    assert [preset.name for preset in values.presets] == [RANGE, ALL]
    first = Window(values.presets[0].center, values.presets[0].width, "LINEAR_EXACT")
    assert (layer.pixels[..., 0] == apply_window(deep, first)).all()
    assert values.presets[1] == NamedWindow(ALL, 2047.5, 4095, "LINEAR_EXACT")
    assert (values.unit, values.low, values.high) == ("", 0, 4095)
    (sent,) = files.values()
    stored = np.frombuffer(gzip.decompress(sent), "<u2")
    assert (stored + values.intercept == deep.ravel()).all()


def test_grey_of_8_bits_is_as_it_is(
    tmp_path: Path, shown: list[dict[str, Any]]
) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    opened(as_case(tmp_path, png_bytes(grey), "grey.png"))
    assert shown[-1]["values"] is None


def test_few_values_change_in_small_steps(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    values = np.arange(100, 116, dtype="<i2").reshape(4, 4)
    window = {"WindowCenter": -1000, "WindowWidth": 2500}
    opened(as_case(tmp_path, dicom_file(values, Modality="CT", **window)))
    assert shown[-1]["values"].least == 15 / 200


def test_a_magnetic_resonance_scan_has_no_hounsfield_units(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    mr = dicom_file(HOUNSFIELD + 1024, Modality="MR", WindowCenter=9, WindowWidth=9)
    opened(as_case(tmp_path, mr))
    values = shown[-1]["values"]
    assert values.unit == ""
    assert [preset.name for preset in values.presets] == [OWN, RANGE]
    # Of 0 to 4095, half a per cent is left out at either end.
    middle = values.presets[1]
    assert middle.center == 2047.5 and middle.width == pytest.approx(4054.05)


def test_a_scan_that_is_nearly_all_of_one_value_still_has_a_width(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    values = np.full((20, 20), 7, "<i2")
    values[0, 0] = 8
    opened(as_case(tmp_path, dicom_file(values, Modality="MR")))
    middle = shown[-1]["values"].presets[1]
    assert (middle.center, middle.width) == (7, 1e-6)


def test_a_lookup_table_has_no_centre(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    table: Any = lookup(0, 8, 0, 51, 102, 255)
    values = np.arange(16, dtype="<u2").reshape(4, 4)
    opened(as_case(tmp_path, dicom_file(values, VOILUTSequence=[table])))
    (layer,) = shown[-1]["layers"]
    assert layer.pixels.ravel().tolist() == [0, 51, 102, *[255] * 13]
    assert shown[-1]["values"].presets[0] == NamedWindow(OWN, None, None)


def test_dark_for_large_is_said_to_the_browser(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    scan = dicom_file(HOUNSFIELD, PhotometricInterpretation="MONOCHROME1")
    opened(as_case(tmp_path, scan))
    assert shown[-1]["values"].inverted


def test_many_pixels_are_sent_as_means_of_blocks(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    values = np.tile(np.array([0, 1000], "<i2"), (4, 1025))
    opened(as_case(tmp_path, dicom_file(values, Modality="MR")))
    sent = shown[-1]["values"]
    assert (sent.width, sent.height) == (683, 1)
    assert shown[-1]["size"] == (2050, 4)


def test_a_photograph_has_no_window(
    tmp_path: Path, shown: list[dict[str, Any]]
) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    opened(as_case(tmp_path, png_bytes(pixels), "photo.png"))
    (layer,) = shown[-1]["layers"]
    assert (layer.pixels == pixels).all()
    assert layer.caption == "photo.png, 4 × 4 pixels, PNG"
    assert shown[-1]["values"] is None and shown[-1]["size"] == (4, 4)


def test_a_file_that_cannot_be_read_any_more_is_one_sentence(
    tmp_path: Path, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = as_case(tmp_path, dicom_file(HOUNSFIELD))
    object.__setattr__(case, "source", b"nothing")
    app = opened(case)
    assert "scan.dcm" in said(app) and len(app.error) == 1 and not shown


def test_frames_are_counted_from_one(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "echo.dcm"
    app = opened(as_case(tmp_path, file.read_bytes()))
    assert (shown[-1]["layers"][0].pixels == decode(file, frame=0).pixels).all()
    slider = app.slider[0]
    assert (slider.label, slider.value, slider.max) == ("Frame of 4", 1, 4)
    assert "asked about this frame alone" in slider.help
    move(app, "Frame", 3)
    assert (shown[-1]["layers"][0].pixels == decode(file, frame=2).pixels).all()
    move(app, "Frame", 1)
    assert (shown[-1]["layers"][0].pixels == decode(file, frame=0).pixels).all()


def test_a_volume_opens_at_its_middle_slice(
    tmp_path: Path, shown: list[dict[str, Any]], files: dict[str, bytes]
) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "0.nii"
    app = opened(as_case(tmp_path, file.read_bytes(), "v.nii"))
    slider = app.slider[0]
    assert (slider.label, slider.value, slider.max) == ("Slice of 12, axial", 7, 12)
    assert (shown[-1]["layers"][0].pixels == decode(file).pixels).all()
    move(app, "Slice", 5)
    assert (shown[-1]["layers"][0].pixels == decode(file, frame=4).pixels).all()


def test_a_chosen_frame_is_where_the_slider_starts(tmp_path: Path) -> None:
    file = draw_volumes(tmp_path / "vols", count=1) / "dark" / "0.nii"
    case = as_case(tmp_path, file.read_bytes(), "v.nii")
    chosen: list[Case] = []
    app = show_part(lambda: chosen.append(choose_frame(cases.at_frame(case, 2))))
    assert app.slider[0].value == 3 and chosen[-1].frame == 2
    move(app, "Slice", 12)
    assert chosen[-1].frame == 11
