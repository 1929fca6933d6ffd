"""DICOM step by step, against values worked out by hand.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from medmodel.core.errors import ImageError
from medmodel.imaging import images
from medmodel.imaging.dicom import reading
from medmodel.imaging.dicom.elements import file_window
from medmodel.imaging.windows import Window
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp

RealData = Callable[[str], Path]
NAN = float("nan")


def read(data: bytes, **arguments: Any) -> dict[str, Any]:
    return reading.read(data, "x.dcm", values=True, **arguments)


def lookup(first: int, bits: int, *entries: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    return item


# Modality: PS3.3 C.11.1


def test_rescale_gives_hounsfield_units() -> None:
    data = dicom_file(ramp("<i2", 0, 100), RescaleSlope=2, RescaleIntercept=-1024)
    values = read(data)["values"]
    assert values[0].tolist() == [-1024, -824, -624, -424]
    assert values.dtype == np.float32


def test_modality_lut_comes_before_the_window() -> None:
    data = dicom_file(
        ramp("<u2"),
        ModalityLUTSequence=[lookup(2, 16, 1000, 2000, 3000)],
        WindowCenter=2000.5,
        WindowWidth=2001,
    )
    found = read(data)
    # below the first entry the first, beyond the last the last
    assert found["values"][0].tolist() == [1000, 1000, 1000, 2000]
    assert found["values"][1].tolist() == [3000] * 4
    assert found["pixels"][0, :, 0].tolist() == [0, 0, 0, 128]
    assert found["pixels"][1, 0, 0] == 255


def test_padding_is_left_out_and_black() -> None:
    pixels = ramp("<i2")
    pixels[0, :2] = -2000
    data = dicom_file(
        pixels, PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1"
    )
    found = read(data)
    assert np.isnan(found["values"][0, :2]).all()
    assert found["pixels"][0, :2, 0].tolist() == [0, 0]
    assert found["pixels"][0, 2, 0] == 255  # the smallest value that is no padding


# Window: PS3.3 C.11.2


def test_the_file_s_window_is_the_first_of_several() -> None:
    data = dicom_file(
        ramp("<i2", 0, 10), WindowCenter=["75.5", "9"], WindowWidth=["151", "2"]
    )
    found = read(data)
    assert found["window"] == Window(75.5, 151.0, "LINEAR")
    # 0 to 150 become 0 to 255
    assert found["pixels"].ravel().tolist() == [round(v * 17) for v in range(16)]


def test_a_chosen_window_wins() -> None:
    data = dicom_file(ramp("<i2", 0, 10), WindowCenter=75.5, WindowWidth=151)
    chosen = Window(50, 100, "LINEAR_EXACT")
    found = read(data, window=chosen)
    assert found["window"] == chosen
    assert found["pixels"][1, :, 0].tolist() == [102, 128, 153, 179]


@pytest.mark.parametrize(
    ("center", "width"), [(5000, 10), (5, 0), (5, -3), (None, None)]
)
def test_a_window_that_shows_nothing_gives_way_to_percentiles(
    center: float, width: float
) -> None:
    pixels = np.arange(1024, dtype="<i2").reshape(32, 32)
    found = read(dicom_file(pixels, WindowCenter=center, WindowWidth=width))
    assert found["window"].shape == "LINEAR_EXACT"
    assert found["window"].center == pytest.approx(511.5)
    assert found["window"].width == pytest.approx(1023 * 0.99)


def test_ct_without_a_window_is_seen_as_soft_tissue() -> None:
    data = dicom_file(ramp("<i2", -1000, 100), Modality="CT")
    assert read(data)["window"] == Window(50, 400, "LINEAR")


def test_voi_lut() -> None:
    data = dicom_file(ramp("<u2"), VOILUTSequence=[lookup(1, 8, 0, 51, 102, 255)])
    found = read(data)
    assert found["window"] is None
    assert found["pixels"].ravel().tolist() == [0, 0, 51, 102, *[255] * 12]


def test_voi_lut_of_signed_values() -> None:
    # -2 written as unsigned
    table = lookup(2**16 - 2, 16, *range(0, 65536, 4369))
    data = dicom_file(ramp("<i2", -2), VOILUTSequence=[table])
    assert read(data)["pixels"].ravel().tolist() == [17 * n for n in range(16)]


def test_sigmoid_is_kept() -> None:
    data = dicom_file(ramp(), WindowCenter=8, WindowWidth=8, VOILUTFunction="SIGMOID")
    found = read(data)
    assert found["window"].shape == "SIGMOID"
    assert found["pixels"][2, 0, 0] == 128


# Inversion: PS3.3 C.7.6.3.1.2


def test_monochrome1_is_inverted_after_the_window() -> None:
    facts: dict[str, Any] = {"WindowCenter": 4, "WindowWidth": 4}
    plain = read(dicom_file(ramp(), **facts))
    inverted = read(
        dicom_file(ramp(), PhotometricInterpretation="MONOCHROME1", **facts)
    )
    # Inverted before the window, both would clip at the same end.
    assert (inverted["pixels"] == 255 - plain["pixels"]).all()
    assert inverted["inverted"] and not plain["inverted"]
    assert (inverted["values"] == plain["values"]).all()


# Colour: PS3.3 C.7.6.3.1.2, C.7.9


def test_frames() -> None:
    pixels = np.stack([ramp("<i2"), ramp("<i2", 100)])
    data = dicom_file(pixels, NumberOfFrames=2)
    assert read(data)["frames"] == 2
    assert read(data, frame=1)["values"][0, 0] == 100
    with pytest.raises(ImageError, match="x.dcm has no frame 3: it has 2"):
        read(data, frame=2)


def test_the_first_frame_that_shows_something() -> None:
    blank, full = np.full((4, 4), 3, "<i2"), ramp("<i2")
    middle = dicom_file(np.stack([blank, blank * 2, full, full * 2]), NumberOfFrames=4)
    answer = read(middle)
    assert answer["frame"] == 2 and (answer["values"] == full).all()
    assert answer["seen"] == "by its own range, frame 3, as all before it are blank"
    assert read(middle, frame=3)["seen"] == "by its own range"
    with pytest.raises(ImageError, match="shows nothing in frame 2: all pixels have t"):
        read(middle, frame=1)
    last = read(dicom_file(np.stack([full, blank]), NumberOfFrames=2))
    assert last["frame"] == 0 and last["seen"] == "by its own range"
    none = dicom_file(np.stack([blank, blank * 2]), NumberOfFrames=2)
    with pytest.raises(ImageError, match="each of its 2 frames has a single value"):
        read(none)
    colours = np.zeros((2, 4, 4, 3), np.uint8)
    colours[1, 0] = 200
    answer = read(dicom_file(colours, NumberOfFrames=2))
    assert answer["seen"] == "frame 2, as all before it are blank"


def test_enhanced_files_keep_their_rescale_in_functional_groups() -> None:
    def group(**elements: float) -> Dataset:
        rescale, view, item = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = 1, elements["intercept"]
        item.PixelValueTransformationSequence = [rescale]
        if "center" in elements:
            view.WindowCenter, view.WindowWidth = elements["center"], 21
            item.FrameVOILUTSequence = [view]
        return item

    data = dicom_file(
        np.stack([ramp("<i2"), ramp("<i2")]),
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=[group(intercept=-7, center=3)],
        PerFrameFunctionalGroupsSequence=[Dataset(), group(intercept=-1000)],
    )
    assert read(data)["values"][0, 0] == -7
    assert read(data, frame=1)["values"][0, 0] == -1000
    assert read(data)["window"].center == 3


# Refusals


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            dicom_file(ramp(), SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"),
            "x.dcm is no image but a segmentation mask.",
        ),
        (
            dicom_file(ramp(), SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2"),
            "x.dcm is no image but a radiotherapy dose grid.",
        ),
        (
            dicom_file(np.full((4, 4), 7, "<i2")),
            "x.dcm shows nothing: all pixels have the value 7.",
        ),
        (
            dicom_file(np.zeros((2, 2, 3), np.uint8)),
            "x.dcm shows nothing: all pixels have the value 0, 0, 0.",
        ),
        (
            dicom_file(ramp(), Rows=60_000, Columns=60_000),
            "x.dcm has more than 100 million pixels: scale it down before.",
        ),
        (dicom_file(ramp(), Rows=0), "x.dcm has no pixels."),
        (dicom_file(ramp(), BitsAllocated=12), "x.dcm stores 1 samples of 12 bits"),
        (dicom_file(ramp(), BitsAllocated=None), "x.dcm cannot be read: its DICOM"),
        (dicom_file(ramp(), Rows=5), "x.dcm cannot be read: its pixel data (Explicit"),
        (dicom_file(ramp())[:-8], "x.dcm cannot be read: its pixel data (Explicit"),
        (b"\0" * 128 + b"DICM" + b"junk" * 9, "x.dcm "),
    ],
)
def test_refusals_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(data)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_file_without_a_picture_says_of_what_kind_it_is() -> None:
    dataset = dicom_dataset(ramp(), SOPClassUID="1.2.840.10008.5.1.4.1.1.481.5")
    del dataset.PixelData
    with pytest.raises(ImageError, match=r"without an image \(RT Plan Storage\)\.$"):
        read(dicom_bytes(dataset))


def test_messages_tell_nothing_from_the_header() -> None:
    dataset = dicom_dataset(ramp(), SOPClassUID="1.2.826.4711")
    del dataset.PixelData
    data = dicom_bytes(dataset).replace(b"1.2.826.4711", b"Tilda^Tester")
    with pytest.raises(ImageError) as caught:
        read(data)
    assert "Tilda" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "shown"),
    [("CT", "CT"), ("<b>x</b>", ""), ("A" * 17, ""), ("A" * 16, "A" * 16), (None, "")],
)
@pytest.mark.filterwarnings("ignore")
def test_odd_modalities_are_not_shown(written: str | None, shown: str) -> None:
    assert read(dicom_file(ramp(), Modality=written))["modality"] == shown


@pytest.mark.parametrize(
    ("width", "shape", "valid"),
    [
        (0.5, "LINEAR", False),
        (1, "LINEAR", True),
        (0.5, "LINEAR_EXACT", True),
        (0.5, "SIGMOID", True),
        (0, "SIGMOID", False),
        (0.5, "ODD", False),
        (1, "ODD", True),
    ],
)
def test_windows_of_files_have_the_least_width(
    width: float, shape: str, valid: bool
) -> None:
    """PS3.3 C.11.2.1.2: 1 for LINEAR, the default, above 0 for the others."""
    header = Dataset()
    header.WindowCenter, header.WindowWidth = 8, width
    header.VOILUTFunction = shape
    expected = Window(8, width, "LINEAR" if shape == "ODD" else shape)  # type: ignore[arg-type]
    assert file_window(header) == (expected if valid else None)


def test_padding_that_covers_everything_is_no_padding() -> None:
    facts = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 15}
    grey = read(dicom_file(ramp("<u2"), **facts))
    assert np.array_equal(grey["values"], ramp())
    part = read(dicom_file(ramp("<u2"), PixelPaddingValue=3))["values"]
    assert np.isnan(part[0, 3]) and np.isfinite(part).sum() == 15


def test_patient() -> None:
    assert read(dicom_file(ramp()))["patient"] == "|number-4711"
    with_issuer = dicom_file(ramp(), IssuerOfPatientID="A")
    assert read(with_issuer)["patient"] == "A|number-4711"
    assert read(dicom_file(ramp(), PatientID=None))["patient"] == ""


# Real files


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def stored_shape_and_range(text: str) -> tuple[list[int], float, float] | None:
    found = re.match(r"([\dx]+) \S+ \[(-?\d+)\.\.(-?\d+)\]", text)
    if not found:
        return None
    shape = [int(n) for n in found[1].split("x")]
    return shape, float(found[2]), float(found[3])


def test_all_good_files_have_the_shape_and_range_of_the_list(
    real_data: RealData,
) -> None:
    folder = real_data("dicom")
    seen = 0
    for row in manifest(folder):
        if not row["file"].startswith(("ok/", "phi/", "recoverable/")):
            continue
        path = folder / row["file"]
        frame = images.decode(path, window="file", values=True, square_pixels=False)
        known = stored_shape_and_range(row["pydicom3_result_all_plugins"])
        if known:
            shape, low, high = known
            shape = shape[1:] if int(row["frames"] or 1) > 1 else shape
            assert list(frame.pixels.shape[:2]) == shape[:2], path
            assert frame.frames == int(row["frames"] or 1), path
            _check_range(path, row, frame.values, low, high)
        assert frame.pixels.min() < frame.pixels.max(), path
        seen += 1
    assert seen == 81


def _check_range(
    path: Path,
    row: dict[str, str],
    values: npt.NDArray[Any] | None,
    low: float,
    high: float,
) -> None:
    """Stored extremes, rescaled; the file's own elements say by what."""
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    odd = ("ModalityLUTSequence", "PixelPaddingValue", "SharedFunctionalGroupsSequence")
    if values is None or any(k in dataset for k in odd) or row["frames"]:
        return
    slope = float(dataset.get("RescaleSlope", 1))
    shift = float(dataset.get("RescaleIntercept", 0))
    assert values.min() == pytest.approx(low * slope + shift, rel=1e-5), path
    assert values.max() == pytest.approx(high * slope + shift, rel=1e-5), path


def test_bad_files_get_one_sentence(real_data: RealData) -> None:
    folder = real_data("dicom")
    seen = 0
    for kind in ("broken", "no_image", "derived_not_photo"):
        for path in sorted((folder / kind).iterdir()):
            with pytest.raises(ImageError) as caught:
                images.decode(path, window="file")
            text = str(caught.value)
            assert text.startswith(path.name) and text.endswith("."), text
            assert len(text) < 200 and "\n" not in text, text
            seen += 1
    assert seen == 25


def test_ct_of_two_makers_lies_on_one_scale(real_data: RealData) -> None:
    lungs = []
    for path in sorted((real_data("ct_dicom") / "no_contrast").glob("*.dcm"))[:6]:
        values = images.decode(path, window="file", values=True).values
        assert values is not None
        body = values[(values > -150) & (values < 250)]
        lungs.append(float(np.median(body)))
    assert all(-120 < median < 80 for median in lungs)
