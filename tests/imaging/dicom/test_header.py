"""What is read past the others is what pydicom reads.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medmodel.core.errors import ImageError
from medmodel.imaging import codecs
from medmodel.imaging.dicom import reading
from medmodel.imaging.dicom.header import image_elements
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp

PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)


def rich(**facts: Any) -> Dataset:
    """An image among sequences, of known and of unknown length, in each other."""
    inner, item = Dataset(), Dataset()
    inner.CodeValue = "113100"
    item.PurposeOfReferenceCodeSequence = Sequence([inner])
    item["PurposeOfReferenceCodeSequence"].is_undefined_length = True
    item.PatientID = "of another"
    dataset = dicom_dataset(ramp(), PatientID="p-1", **facts)
    dataset.ReferencedImageSequence = Sequence([item, Dataset()])
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.RequestAttributesSequence = Sequence([item])
    return dataset


def same_as_pydicom(data: bytes) -> bool:
    """Whether anything was read; it must then be what pydicom reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = image_elements(data)
        if found is None:
            return False
        whole = reading.parse(data, "x.dcm")
        for own, known in ((found, whole), (found.file_meta, whole.file_meta)):
            assert {element.tag for element in own} <= set(known.keys())
            for element in own:
                assert element == known[element.tag]
        assert found.original_encoding == whole.original_encoding
        assert found.original_character_set == whole.original_character_set
    return True


@pytest.mark.parametrize("syntax", PLAIN)
def test_plain_files(syntax: str) -> None:
    facts: dict[str, Any] = {"PixelPaddingValue": 3, "WindowCenter": [40, 50]}
    assert same_as_pydicom(dicom_bytes(rich(**facts), syntax))
    greek = dicom_bytes(rich(SpecificCharacterSet="ISO_IR 126"), syntax)
    assert same_as_pydicom(greek)


def test_others_are_left_to_pydicom() -> None:
    plain = dicom_bytes(dicom_dataset(ramp()), ExplicitVRLittleEndian)
    assert image_elements(plain) is not None
    assert image_elements(plain[128:]) is None
    assert image_elements(plain[:-1]) is None
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 8], b"\0\1\2\3"
    for other in (
        rich(VOILUTSequence=Sequence([table])),
        rich(PhotometricInterpretation="PALETTE COLOR"),
        dicom_dataset(np.stack([ramp(), ramp()]), NumberOfFrames=2),
    ):
        assert image_elements(dicom_bytes(other, ExplicitVRLittleEndian)) is None
    big = dicom_bytes(dicom_dataset(ramp(">i2")), ExplicitVRBigEndian)
    assert image_elements(big) is None


DAMAGE: dict[str, tuple[str, list[tuple[int, int]]]] = {
    "an item of known length": (ExplicitVRLittleEndian, [(420, 0)]),
    "an element past the end of an item": (ImplicitVRLittleEndian, [(402, 19)]),
    "no group length at first": (ExplicitVRLittleEndian, [(132, 0)]),
    "a long group length": (ImplicitVRLittleEndian, [(138, 70), (672, 98)]),
    "no pixel representation": (ImplicitVRLittleEndian, [(558, 33), (201, 207)]),
}
"""Files that were read here and refused, or read otherwise, by pydicom."""


@pytest.mark.parametrize(("syntax", "damage"), DAMAGE.values(), ids=DAMAGE.keys())
def test_what_pydicom_refuses_is_not_read(
    syntax: str, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(dicom_bytes(rich(), syntax))
    for place, value in damage:
        data[place] = value
    assert image_elements(bytes(data)) is None


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(PLAIN))
def test_damaged_files_as_pydicom_or_not_at_all(draw: Any, syntax: str) -> None:
    data = bytearray(dicom_bytes(rich(), syntax))
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(128, len(data) - 1))
        data[place] = draw.draw(st.integers(0, 255))
    same_as_pydicom(bytes(data[: draw.draw(st.integers(200, len(data)))]))


SPOKEN: dict[str, Any] = {
    "WindowCenter": [40, 50],
    "WindowWidth": [30, 20],
    "PixelPaddingValue": 3,
    "RescaleSlope": 2,
    "RescaleIntercept": -5,
    "PixelSpacing": [2, 1],
    "PixelAspectRatio": [1, 2],
    "SpecificCharacterSet": "ISO_IR 100",
}


def shown(data: bytes, short: bool) -> dict[str, Any] | None:
    """What is shown of a file read here or by pydicom; None where it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        if not short:
            patch.setattr(reading, "image_elements", lambda _: None)
        try:
            return reading.read(data, "x.dcm", values=True)
        except ImageError:
            return None


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(PLAIN))
def test_damaged_files_show_the_same_or_are_refused_alike(
    draw: Any, syntax: str
) -> None:
    data = bytearray(dicom_bytes(rich(**SPOKEN), syntax))
    for _ in range(draw.draw(st.integers(1, 2))):
        place = draw.draw(st.integers(128, len(data) - 40))
        data[place] = draw.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if image_elements(bytes(data)) is None:
            return
        one, other = shown(bytes(data), short=True), shown(bytes(data), short=False)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize("kind", ["<u2", "<i2", "u1"])
@pytest.mark.parametrize("stored", [8, 6])
def test_values_of_the_lowest_bits(kind: str, stored: int) -> None:
    """As pydicom reads them, also where other bits say something."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (5, 6 * np.dtype(kind).itemsize), np.uint8).view(kind)
    facts = {"BitsStored": stored, "HighBit": stored - 1}
    dataset = reading.parse(dicom_bytes(dicom_dataset(cells, **facts)), "x.dcm")
    values = codecs.stored_values(dataset, "x.dcm", 0)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (values == dataset.pixel_array).all()
    assert values.dtype == cells.dtype


def test_all_files_of_scanners(real_data: Callable[[str], Path]) -> None:
    found = 0
    for folder in ("dicom", "ct_dicom"):
        for path in sorted(real_data(folder).rglob("*")):
            if path.is_file() and path.suffix != ".csv":
                found += same_as_pydicom(path.read_bytes())
    assert found > 40


@pytest.mark.parametrize("modality", ["CT", "US"])
def test_frames_in_a_row_are_those_of_a_file_read_anew(
    modality: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elements are kept for the next frame of the same file, whatever is asked."""
    stack = np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8) * 9
    facts = {"Modality": modality, "WindowCenter": "800", "WindowWidth": "300"}
    data = dicom_file(stack, NumberOfFrames=3, PatientID="P", **facts)
    other = dicom_file(stack[::-1].copy(), NumberOfFrames=3, PatientID="Q", **facts)
    questions: list[dict[str, Any]] = [
        {"frame": frame, "ct_as_soft_tissue": alike}
        for alike in (False, True)
        for frame in (2, 0)
    ]
    questions.append({"frame": 1, "window": (700, 90)})
    anew = [reading.read(bytes(bytearray(data)), "x.dcm", **q) for q in questions]
    opened: list[bytes] = []
    original = reading.image_elements

    def spy(content: bytes) -> Any:
        opened.append(content)
        return original(content)

    monkeypatch.setattr(reading, "image_elements", spy)
    for question, expected in zip(questions, anew, strict=True):
        for _ in range(2):
            found = reading.read(data, "x.dcm", **question)
            assert (found["pixels"] == expected["pixels"]).all()
            assert found["seen"] == expected["seen"] and found["frames"] == 3
    assert len(opened) == 1
    assert reading.read(other, "y.dcm")["patient"] == "|Q"
    assert (reading.read(data, "x.dcm", frame=2)["pixels"] == anew[0]["pixels"]).all()
    with pytest.raises(ImageError, match="has no frame 4"):
        reading.read(data, "x.dcm", frame=3)
