"""Stored values to what is shown, by hand.

The others: test_reading, test_colours, test_full_range, test_scan_variants.
"""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.imaging.dicom import reading
from tests.dicom_files import dicom_file, ramp


def test_values_of_32_bits_are_rescaled_exactly() -> None:
    """2^24 + 1 is no number of 32 bits; PS3.3 C.11.1."""
    stored = ramp("<i4", 2**24 + 1, 2)
    data = dicom_file(stored, RescaleSlope=2, RescaleIntercept=-(2**25))
    assert (
        reading.read(data, "x.dcm", values=True)["values"] == ramp(start=2, step=4)
    ).all()


@pytest.mark.parametrize(
    ("ycbcr", "colour"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((81, 90, 240), (255, 0, 0)),
        ((145, 54, 34), (0, 255, 0)),
        ((41, 240, 110), (0, 0, 255)),
    ],
)
def test_bars_of_video_range(ycbcr: tuple[int, ...], colour: tuple[int, ...]) -> None:
    """Full bars of ITU-R BT.601 in the range of video."""
    pixels = np.array([[ycbcr] * 2, [(100, 128, 128)] * 2], np.uint8)
    data = dicom_file(pixels, PhotometricInterpretation="YBR_PARTIAL_422")
    shown = reading.read(data, "x.dcm")["pixels"]
    assert np.abs(shown[0, 0].astype(int) - colour).max() <= 2
