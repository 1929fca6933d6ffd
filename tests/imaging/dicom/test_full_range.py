"""8-bit DICOM without a window is shown as any 8-bit image is: by its full range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medmodel.imaging import images
from medmodel.imaging.dicom.reading import read
from tests.dicom_files import dicom_file, ramp

OF_8_BITS: dict[str, Any] = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}


def shown(pixels: np.ndarray, **elements: Any) -> tuple[np.ndarray, str]:
    answer = read(dicom_file(pixels, **elements), "x")
    return answer["pixels"][..., 0], answer["seen"]


def test_8_bits_are_shown_as_in_a_png() -> None:
    pixels = ramp("u1", 40, 3)
    grey, seen = shown(pixels, **OF_8_BITS, PixelRepresentation=0)
    png = images.decode(images.png_bytes(pixels[..., None]), "x.png").pixels[..., 0]
    assert np.array_equal(grey, png) and np.array_equal(grey, pixels)
    assert seen == "by the full range of its bits"
    inverted, _ = shown(
        pixels,
        **OF_8_BITS,
        PixelRepresentation=0,
        PhotometricInterpretation="MONOCHROME1",
    )
    assert np.array_equal(inverted, 255 - pixels)


@pytest.mark.parametrize(
    ("dtype", "start", "elements", "black", "white"),
    [
        ("i1", -8, {"PixelRepresentation": 1}, -128, 127),
        ("u1", 8, {"PixelRepresentation": 0, "RescaleSlope": 2}, 0, 255),
        ("u1", 8, {"PixelRepresentation": 0, "RescaleSlope": -1}, 255, 0),
        ("u1", 0, {"PixelRepresentation": 0, "BitsStored": 7, "HighBit": 6}, 0, 127),
        ("<u2", 8, {"BitsAllocated": 16, "PixelRepresentation": 0}, 0, 255),
    ],
)
def test_the_ends_of_the_stored_range_are_black_and_white(
    dtype: str, start: int, elements: dict[str, Any], black: int, white: int
) -> None:
    pixels = ramp(dtype, start)
    elements = OF_8_BITS | {"RescaleIntercept": 0, "RescaleSlope": 1} | elements
    grey, _ = shown(pixels, **elements)
    share = (pixels.astype(float) - black) / (white - black)
    assert np.abs(grey - 255 * share).max() <= 0.5


def test_other_images_keep_their_own_range() -> None:
    of_9_bits = {"BitsStored": 9, "HighBit": 8, "PixelRepresentation": 0}
    assert shown(ramp("<u2", 40), **of_9_bits)[1] == "by its own range"
    beside = OF_8_BITS | {"BitsAllocated": 16, "PixelRepresentation": 0}
    assert shown(ramp("<u2", 241), **beside)[1] == "by the full range of its bits"
    table = {"WindowCenter": 47, "WindowWidth": 10, "PixelRepresentation": 0}
    assert shown(ramp("u1", 40), **OF_8_BITS, **table)[1] == "as the file asks"
