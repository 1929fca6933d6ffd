"""Every encoding gives the same values."""

from __future__ import annotations

import struct
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

from medmodel.imaging import codecs, dicom, images, scans
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


def jpeg(components: int = 1, scan: bytes = b"\x00\x3f\x00") -> bytes:
    """Segments of a sequential JPEG of 12 bits up to its scan: ITU T.81 B.2."""
    frame = struct.pack(">BHHB", 12, 4, 4, components) + bytes(3 * components)
    start = bytes([components]) + bytes(2 * components) + scan
    segments = ((0xC1, frame), (0xDA, start))
    return b"\xff\xd8" + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )


def test_jpeg_of_12_bits_must_be_one_full_scan() -> None:
    codecs._check_scan(jpeg())
    codecs._check_scan(jpeg(components=3))
    for scan in (b"\x01\x3f\x00", b"\x00\x3e\x00"):
        with pytest.raises(ValueError, match="incomplete scan"):
            codecs._check_scan(jpeg(scan=scan))
    with pytest.raises(ValueError, match="no scan"):
        codecs._check_scan(jpeg()[:12])
