"""Every encoding gives the same values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from medmodel.imaging import dicom, images, scans
from tests.dicom_files import dicom_bytes, dicom_dataset, ramp

RealData = Callable[[str], Path]


def values(data: bytes) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = dicom.read(data, "x.dcm", values=True)["values"]
    return found


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_uncompressed_encodings(syntax: str) -> None:
    data = dicom_bytes(dicom_dataset(ramp()), syntax)
    assert values(data).ravel().tolist() == list(range(16))


def test_big_endian() -> None:
    data = dicom_bytes(dicom_dataset(ramp(">i2")), ExplicitVRBigEndian)
    assert values(data).ravel().tolist() == list(range(16))


def test_rle() -> None:
    dataset = dicom_dataset(ramp("<u2", 0, 300))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.compress(RLELossless)
    data = dicom_bytes(dataset, RLELossless)
    assert (values(data) == ramp("<u2", 0, 300)).all()


def test_file_without_preamble_and_meta() -> None:
    whole = dicom_bytes(dicom_dataset(ramp()), ImplicitVRLittleEndian)
    bare = whole[whole.index(b"\x08\x00\x16\x00") :]
    assert scans.is_dicom(bare)
    assert (values(bare) == ramp()).all()


def test_the_same_picture_in_every_encoding(real_data: RealData) -> None:
    folder = real_data("dicom") / "ok" / "MR"
    first, *others = [
        images.decode(p, window="file").pixels for p in folder.glob("MR_small*")
    ]
    assert len(others) == 6
    assert all((first == other).all() for other in others)


def test_jpeg_of_12_bits_like_its_lossless_twin(real_data: RealData) -> None:
    folder = real_data("dicom") / "ok" / "NM"
    coded = images.decode(folder / "JPGExtended.dcm", window="file", values=True).values
    exact = images.decode(folder / "JPEG-LL.dcm", window="file", values=True).values
    assert coded is not None and exact is not None
    assert np.abs(coded - exact).max() < 60  # lossy: the largest counts are 278
    assert np.corrcoef(coded.ravel(), exact.ravel())[0, 1] > 0.98
