"""Regions around an image, and black ones; the others: test_deidentify."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from medmodel.core.errors import ImageError
from medmodel.imaging.dicom import reading
from medmodel.imaging.privacy import redaction
from tests.dicom_files import dicom_bytes, dicom_dataset, ramp


def region(left: int, top: int, right: int, bottom: int) -> Dataset:
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


@pytest.mark.parametrize(
    ("inside", "bands"),
    [
        ([(0, 0, 3, 3)], []),
        ([(0, 1, 3, 3)], [[0, 0, 4, 1]]),
        ([(0, 0, 3, 2)], [[0, 3, 4, 4]]),
        ([(1, 0, 3, 3)], [[0, 0, 1, 4]]),
        ([(0, 0, 2, 3)], [[3, 0, 4, 4]]),
        ([(0, 1, 1, 2), (2, 2, 3, 3)], [[0, 0, 4, 1]]),
        ([], []),
    ],
)
def test_what_is_around_the_regions(
    inside: list[tuple[int, int, int, int]], bands: list[list[int]]
) -> None:
    """Both ends of a region belong to it: PS3.3 C.8.5.5.1.1."""
    regions = [region(*ends) for ends in inside]
    dataset = dicom_dataset(ramp(), SequenceOfUltrasoundRegions=regions)
    assert redaction.text_regions(dataset) == bands


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_what_was_compressed_is_written_plainly(syntax: str) -> None:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = dicom_bytes(dicom_dataset(ramp(f"{order}u2", 5)), ExplicitVRBigEndian)
    if syntax == RLELossless:
        dataset = pydicom.dcmread(
            io.BytesIO(dicom_bytes(dicom_dataset(ramp("<u2", 5))))
        )
        dataset.compress(RLELossless)
        data = dicom_bytes(dataset, RLELossless)
    dataset = reading.parse(data, "x.dcm")
    redaction.black_out_regions(dataset, "x.dcm", [[1, 0, 3, 1]])
    assert not dataset["PixelData"].is_undefined_length
    stored = np.frombuffer(dataset.PixelData, f"{order}u2").reshape(4, 4)
    expected = ramp("<u2", 5)
    expected[0, 1:3] = 5
    assert (stored == expected).all()


@pytest.mark.parametrize("least", [31, 32])
def test_too_large_to_black_out(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 × 4 values of 2 bytes are 32."""
    monkeypatch.setattr(redaction, "MAX_BYTES", least)
    dataset = reading.parse(dicom_bytes(dicom_dataset(ramp())), "x.dcm")
    if least == 32:
        redaction.black_out_regions(dataset, "x.dcm", [[0, 0, 1, 1]])
        return
    with pytest.raises(ImageError, match="too large to black out regions"):
        redaction.black_out_regions(dataset, "x.dcm", [[0, 0, 1, 1]])
