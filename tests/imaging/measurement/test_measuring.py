"""Shapes measured on a file's own pixels, whatever is shown of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmodel.core.errors import DataError, ImageError
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import png_bytes
from medmodel.imaging.measurement.measuring import (
    GREY_LEVELS,
    KnownLength,
    Measured,
    Statistics,
    measure,
    measured_on,
)
from medmodel.imaging.measurement.shapes import Shape
from medmodel.imaging.measurement.spacing import Calibration
from medmodel.imaging.untrusted import DataFile
from tests.dicom_files import dicom_file

OPTIONS = DecodeOptions()
LINE = Shape("line", ((0, 0), (6, 8)))
BOX = Shape("polygon", ((0, 0), (4, 0), (4, 2), (0, 2)))
VALUES = np.arange(100, dtype="<i2").reshape(10, 10)


def about(value: float) -> Any:
    return pytest.approx(value)


def one(
    content: bytes | DataFile,
    shape: Shape,
    size: tuple[int, int] = (10, 10),
    options: DecodeOptions = OPTIONS,
    known: KnownLength | None = None,
) -> Measured:
    (measured,) = measure(content, "x", options, [shape], size, known)
    return measured


def test_values_are_those_of_the_file_not_of_the_window() -> None:
    ct = dicom_file(
        VALUES,
        Modality="CT",
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=0,
        WindowWidth=1,
        PixelSpacing=[0.5, 0.5],
    )
    # 0 to 3 and 10 to 13, doubled and 1000 less.
    expected = Statistics(8, -987.0, about(10.2469508), -1000, -974)
    box = one(ct, BOX)
    assert box.statistics == expected and box.value_unit == "HU"
    assert (box.area, box.perimeter, box.in_mm) == (2, 6, True)


def test_lengths_are_right_where_the_image_was_widened_to_be_shown() -> None:
    oblong = dicom_file(VALUES, PixelSpacing=[2.0, 0.5])
    # Shown with 10 × 40 pixels of 0.5 mm: 6 across and 8 down is 3 and 4 mm.
    assert one(oblong, LINE, (10, 40)).length == pytest.approx(5)
    # Less than half a row of it holds no centre of a pixel.
    flat = Shape("polygon", ((0, 0), (4, 0), (4, 1.9), (0, 1.9)))
    assert one(oblong, flat, (10, 40)).statistics is None
    deeper = Shape("polygon", tuple((x, 4 * y) for x, y in BOX.points))
    values = one(oblong, deeper, (10, 40)).statistics
    assert values is not None
    assert (values.pixels, values.minimum, values.maximum) == (8, 0, 13)


def test_a_volume_is_measured_in_the_slice_that_is_shown() -> None:
    random = np.random.default_rng(0)
    voxels = random.normal(0, 100, (12, 14, 10)).astype(np.float32)
    image = nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 3.0, 1.0]))
    options = DecodeOptions(frame=4, axis="coronal")
    # Shown 12 wide, and its ten rows of 3 mm as 30; z runs upwards, x to the left.
    corner = Shape("polygon", ((0, 0), (2, 0), (2, 6), (0, 6)))
    measured = one(image.to_bytes(), corner, (12, 30), options)
    values = voxels[::-1, 4, ::-1].T[:2, :2]
    assert measured.statistics is not None
    assert measured.statistics.mean == pytest.approx(values.mean(), rel=1e-6)
    assert measured.statistics.pixels == 4
    assert (measured.source, measured.area) == ("affine", pytest.approx(12))


def test_a_volume_of_few_thick_slices_is_large_enough_once_widened() -> None:
    voxels = np.random.default_rng(0).normal(0, 9, (12, 14, 4)).astype(np.float32)
    image = nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 5.0, 1.0]))
    options = DecodeOptions(axis="coronal")
    assert one(image.to_bytes(), LINE, (12, 20), options).length == about(10)


def test_padding_has_no_value() -> None:
    stored = VALUES.copy()
    stored[0, :2] = -2000
    padded = dicom_file(stored, PixelPaddingValue=-2000, Modality="MR")
    values = one(padded, BOX).statistics
    assert values == Statistics(6, about(51 / 6), about(4.3493295), 2, 13)
    only = Shape("polygon", ((0, 0), (2, 0), (2, 1), (0, 1)))
    assert one(padded, only).statistics is None


def test_grey_levels_of_an_image_and_the_luminance_of_colours() -> None:
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10, 1)
    box = one(png_bytes(grey), BOX)
    assert box.value_unit == GREY_LEVELS and box.statistics is not None
    assert box.statistics.mean == 6.5
    assert (box.source, box.in_mm, box.area) == ("none", False, 8)
    red = np.zeros((10, 10, 3), np.uint8)
    red[..., 0] = 200
    red[5, 5] = 255
    colours = one(png_bytes(red), BOX).statistics
    assert colours is not None and colours.mean == pytest.approx(59.8)


def test_colours_of_a_dicom_file_have_grey_levels_too() -> None:
    red = np.zeros((10, 10, 3), np.uint8)
    red[..., 0] = np.arange(10)
    box = one(dicom_file(red, Modality="CT", RescaleSlope=1), BOX)
    assert box.value_unit == GREY_LEVELS
    assert box.statistics and box.statistics.maximum == pytest.approx(3 * 0.299)


def test_uptake_values_are_scaled() -> None:
    pet: dict[str, Any] = {"Modality": "PT", "Units": "GML"}
    assert one(dicom_file(VALUES, **pet), BOX).value_unit == "SUV (body weight)"
    halved = measured_on(VALUES, BOX, Calibration(), factor=0.5)
    assert halved.statistics and halved.statistics.maximum == 6.5


def test_an_outline_that_crosses_itself_has_no_inside() -> None:
    hourglass = Shape("polygon", ((0, 0), (4, 4), (4, 0), (0, 4)))
    measured = one(dicom_file(VALUES), hourglass)
    assert measured.crosses_itself
    assert measured.area is None and measured.statistics is None
    assert measured.perimeter is not None


def test_each_kind_has_its_own_numbers() -> None:
    content = dicom_file(VALUES)
    ellipse = one(content, Shape("ellipse", ((1, 1), (5, 3))))
    assert ellipse.diameters == (4, 2)
    assert ellipse.area == pytest.approx(2 * np.pi)
    assert one(content, Shape("angle", ((3, 0), (0, 0), (0, 3)))).angle == 90
    line = one(content, LINE)
    assert (line.length, line.area, line.statistics) == (10, None, None)


def test_a_known_length_calibrates() -> None:
    known = KnownLength(LINE, 50)
    content = dicom_file(VALUES)
    box = one(content, BOX, known=known)
    assert (box.source, box.in_mm) == ("hand", True)
    assert box.area == pytest.approx(8 * 25)
    # As a share of what was shown, it is the same where less was shown.
    half = KnownLength(LINE.scaled(0.5, 0.5), 50)
    again = one(content, BOX.scaled(0.5, 0.5), (5, 5), known=half)
    assert again.area == pytest.approx(200)


def test_a_file_of_a_data_set(tmp_path: Path) -> None:
    frames = np.stack([VALUES, VALUES + 100])
    (tmp_path / "two.dcm").write_bytes(dicom_file(frames, NumberOfFrames=2))
    (tmp_path / "two.dcm").chmod(0o600)
    second = one(DataFile(tmp_path, "two.dcm"), BOX, options=DecodeOptions(frame=1))
    assert second.statistics and second.statistics.mean == 106.5
    named = one(DataFile(tmp_path, "two.dcm#frame=2"), BOX)
    assert named.statistics == second.statistics
    with pytest.raises(DataError, match="not in the data set any more"):
        one(DataFile(tmp_path, "gone.dcm"), BOX)


def test_a_damaged_file_is_named() -> None:
    with pytest.raises(ImageError, match="x is"):
        one(b"no image", BOX)
    with pytest.raises(ImageError, match="empty"):
        one(b"", BOX)
