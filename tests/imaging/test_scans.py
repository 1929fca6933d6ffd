"""Recognition by content, and the way through the sandbox."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import images, raster, scans
from medmodel.imaging.decoded_image import MAX_BYTES
from medmodel.imaging.dicom import reading
from medmodel.imaging.nifti import header
from medmodel.imaging.windows import WINDOWS, Window, show
from tests.dicom_files import dicom_file, ramp
from tests.imaging.nifti.test_reading import nifti_file, volume

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="module")
def no_children_left() -> Iterator[None]:
    yield
    sandbox.close()


def test_reading_is_light() -> None:
    code = (
        "import sys; from medmodel.imaging import images; "
        "sys.exit(bool({'pydicom', 'gdcm', 'nibabel'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", ["a.dcm", "a", "a.png"])
def test_dicom_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(dicom_file(ramp(), PatientName="Tilda"))
    decoded = images.decode(tmp_path / name)
    assert (decoded.format, decoded.mode, decoded.frames) == (
        "DICOM",
        "MONOCHROME2, 16 bits",
        1,
    )
    assert decoded.pixels.shape == (4, 4, 1)


def test_nifti_in_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(nifti_file(volume())))
    decoded = images.decode(tmp_path / "a.nii.gz")
    assert (decoded.format, decoded.frames) == ("NIfTI", 16)


def test_bounds_agree() -> None:
    assert reading.MAX_PIXELS == raster.MAX_PIXELS
    assert header.MAX_BYTES == MAX_BYTES


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"II*\0" * 9,
        b"\x08\0" * 64,
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"text" * 40,
    ],
)
def test_other_files_are_not_taken_for_scans(head: bytes) -> None:
    assert not scans.is_dicom(head) and not scans.is_nifti(head)


def bare(group: int = 8, element: int = 0, size: int = 6, following: int = 8) -> bytes:
    """The beginning of a file without preamble, in implicit encoding."""
    head = struct.pack("<HHI", group, element, size)
    return head + bytes(size) + struct.pack("<H", following)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (bare(), True),
        (bare(group=2), True),
        (bare(group=4), False),
        (bare(element=0x20), True),
        (bare(element=0x21), False),
        (bare(size=100), True),
        (bare(size=102), False),
        (bare(size=13), False),
        (bare(following=2), True),
        (bare(following=3), False),
        (bare()[:-1], False),
    ],
)
def test_a_first_element_as_old_files_have_it(head: bytes, expected: bool) -> None:
    assert scans.is_dicom(head) is expected


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("size", "dimensions", "expected"),
    [
        (348, 0, False),
        (348, 1, True),
        (348, 7, True),
        (348, 8, False),
        (349, 3, False),
        (540, 3, False),
    ],
)
def test_nifti_by_its_size_and_dimensions(
    order: str, size: int, dimensions: int, expected: bool
) -> None:
    head = struct.pack(f"{order}i36xh", size, dimensions)
    assert len(head) == 42
    assert scans.is_nifti(head) is expected
    assert scans.is_nifti(gzip.compress(head)) is expected
    assert not scans.is_nifti(head[:41])
    assert not scans.is_nifti(gzip.compress(head)[:12])


@pytest.mark.parametrize("magic", [b"n+2", b"ni2", b"n+1"])
@pytest.mark.parametrize("order", "<>")
def test_nifti_2_by_its_magic(magic: bytes, order: str) -> None:
    head = struct.pack(f"{order}i", 540) + magic + bytes(40)
    assert scans.is_nifti(head) is (magic != b"n+1")


def test_dicom_without_preamble_is_recognised_in_both_encodings() -> None:
    implicit = b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100\x08\0\x16\0" + bytes(20)
    explicit = b"\x08\0\x05\0CS\x0a\0ISO_IR 100\x08\0\x16\0UI" + bytes(20)
    assert scans.is_dicom(implicit) and scans.is_dicom(explicit)


def test_dicom_without_preamble_in_big_endian_shows_the_same() -> None:
    data = dicom_file(ramp("<u2", 0, 150))
    dataset = pydicom.dcmread(io.BytesIO(data))
    pixels = np.frombuffer(dataset.PixelData, "<u2").byteswap()
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    del dataset.file_meta, dataset.preamble
    file = io.BytesIO()
    pydicom.dcmwrite(
        file, dataset, implicit_vr=False, little_endian=False, force_encoding=True
    )
    old = file.getvalue()
    assert old[:2] == b"\0\x08" and scans.is_dicom(old)
    assert np.array_equal(images.decode(old, "x").pixels, images.decode(data).pixels)
    # In big endian every element says what it holds.
    assert not scans.is_dicom(b"\0\x08\0\x05\0\0\0\x0aISO_IR 100\0\x08" + bytes(20))


def test_slider_and_file_give_the_same_picture() -> None:
    data = dicom_file(ramp("<i2", -1000, 150), Modality="CT")
    frame = images.decode(data, window="file", values=True)
    assert frame.values is not None
    for window in (*WINDOWS.values(), Window(3, 7, "SIGMOID")):
        pixels = reading.read(data, "x", window=window)["pixels"]
        assert (show(frame.values, window, frame.inverted) == pixels).all()


def test_the_patient_is_a_stand_in() -> None:
    data = dicom_file(ramp())
    scan = images.decode(data, window="file")
    assert scan.patient.startswith("p") and "4711" not in scan.patient
    other = dicom_file(ramp(), PatientID="number-4712")
    assert images.decode(other, window="file").patient != scan.patient


def test_large_files_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 5)
    monkeypatch.setattr(scans, "MAX_BYTES", 5)
    (tmp_path / "a.dcm").write_bytes(b"123456")
    with pytest.raises(ImageError, match="a.dcm is larger than"):
        images.decode(tmp_path / "a.dcm")
    with pytest.raises(ImageError, match="a.dcm is larger than"):
        scans.header_rows(tmp_path / "a.dcm")


def test_a_folder_of_a_hospital(real_data: Callable[[str], Path]) -> None:
    files = sorted(real_data("ct_dicom").rglob("*.dcm"))
    scanned = [images.decode(path, window="file") for path in files]
    assert len(files) == 41
    assert len({scan.patient for scan in scanned}) == 21
    assert all(scan.pixels.shape == (512, 512, 1) for scan in scanned)
    contrast = {
        s.patient for s, p in zip(scanned, files, strict=True) if "_1_" in p.name
    }
    assert (
        len(
            contrast
            & {
                s.patient
                for s, p in zip(scanned, files, strict=True)
                if "_0_" in p.name
            }
        )
        == 4
    )
    assert np.mean([scan.pixels.mean() for scan in scanned]) > 20
