"""Copies of DICOM files in which nobody can be found."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, RLELossless

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.core.pseudonyms import days_back
from medmodel.imaging import images, scans
from medmodel.imaging.dicom import reading
from medmodel.imaging.privacy import confidentiality
from medmodel.imaging.privacy.deidentify import deidentify
from tests.dicom_files import (
    dicom_bytes,
    dicom_dataset,
    dicom_file,
    encapsulated_file,
    ramp,
)

# The test itself reads headers with values that are longer than allowed.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
RealData = Callable[[str], Path]
KEY = "ab" * 32


def copy_of(
    data: bytes, black_out: list[list[int]] | None = None, key: str = KEY
) -> tuple[FileDataset, list[str]]:
    answer = deidentify(data, "x.dcm", key, black_out or [])
    return pydicom.dcmread(io.BytesIO(answer["data"])), answer["warnings"]


def shifted(date: str) -> str:
    import datetime

    days = days_back("|number-4711", bytes.fromhex(KEY))
    day = datetime.datetime.strptime(date, "%Y%m%d") - datetime.timedelta(days)
    return day.strftime("%Y%m%d")


# The table: PS3.15 E.1-1


def test_actions_of_the_table() -> None:
    table = confidentiality.table()
    assert len(table) > 600
    assert set(table.values()) == {
        "X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*",
    }  # fmt: skip
    assert table["00100010"] == "Z"  # PatientName
    assert table["00080080"] == "X/Z/D"  # InstitutionName
    assert table["0020000d"] == "U"  # StudyInstanceUID
    assert "00280010" not in table  # Rows


def test_names_and_numbers_go() -> None:
    copy, _ = copy_of(
        dicom_file(
            ramp(),
            PatientBirthDate="19700101",
            PatientSex="F",
            OtherPatientIDs="also-me",
            ReferringPhysicianName="House^Gregory",
            InstitutionName="General Hospital",
            StudyDescription="knee of Tilda",
            AccessionNumber="A-17",
            Manufacturer="Maker",
            KVP="120",
        )
    )
    assert str(copy.PatientName) == copy.PatientID
    assert copy.PatientID.startswith("p") and "4711" not in copy.PatientID
    assert copy.PatientBirthDate == copy.PatientSex == copy.AccessionNumber == ""
    assert copy.ReferringPhysicianName == ""
    assert copy.InstitutionName == "REMOVED"
    assert "OtherPatientIDs" not in copy and "StudyDescription" not in copy
    assert copy.Manufacturer == "Maker" and copy.KVP == 120
    assert copy.PatientIdentityRemoved == "YES"
    assert [i.CodeValue for i in copy.DeidentificationMethodCodeSequence] == [
        "113100",
        "113107",
    ]


def test_uids_change_alike_in_all_files_and_stay_valid() -> None:
    facts: dict[str, Any] = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4"}
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.2.3.4.5"
    first, _ = copy_of(dicom_file(ramp(), **facts, SourceImageSequence=[reference]))
    second, _ = copy_of(dicom_file(ramp(), **facts, SOPInstanceUID="9.8"))
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.3"
    assert first.SeriesInstanceUID != first.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert UID(first.SOPInstanceUID).is_valid
    # PS3.15 allows X here; what is kept must point at the copies.
    kept = first.get("SourceImageSequence")
    if kept:
        assert kept[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
        assert kept[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    other, _ = copy_of(dicom_file(ramp(), **facts), key="cd" * 32)
    assert other.StudyInstanceUID != first.StudyInstanceUID


def test_dates_go_back_by_the_same_days_and_times_go() -> None:
    copy, _ = copy_of(
        dicom_file(
            ramp(),
            StudyDate="20200229",
            AcquisitionDate="20200301",
            AcquisitionDateTime="20200301123456.5+0100",
            StudyTime="123456",
        )
    )
    assert copy.StudyDate == shifted("20200229")
    assert copy.AcquisitionDate == shifted("20200301")
    assert copy.AcquisitionDateTime == shifted("20200301")
    assert copy.StudyTime == ""
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"


def test_a_date_that_is_none_is_emptied() -> None:
    data = dicom_file(ramp(), StudyDate="20200229").replace(b"20200229", b"20201399")
    assert copy_of(data)[0].StudyDate == ""


def test_private_unknown_and_nested_elements_go() -> None:
    item = Dataset()
    item.PatientID, item.CodeValue = "number-4711", "T-1"
    item.add_new(0x00091001, "LO", "Tilda")
    dataset = dicom_dataset(ramp(), ViewCodeSequence=[item])
    dataset.add_new(0x00091001, "LO", "Tilda")
    dataset.add_new(0x00087777, "LO", "Tilda")  # no such element
    dataset.add_new(0x60003000, "OW", b"Tilda ")  # overlay
    copy, _ = copy_of(dicom_bytes(dataset))
    nested = copy.ViewCodeSequence[0]
    assert nested.CodeValue == "T-1" and nested.PatientID == copy.PatientID
    assert not {0x00091001, 0x00087777, 0x60003000} & {
        int(element.tag) for element in copy
    }
    assert 0x00091001 not in nested


def test_what_repeats_a_name_elsewhere_goes_too() -> None:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "T-1", "wrist of TILDA"
    copy, _ = copy_of(
        dicom_file(
            ramp(),
            ConvolutionKernel="Tester",
            Manufacturer="Maker",
            ViewCodeSequence=[item],
        )
    )
    assert not copy.ConvolutionKernel
    assert not copy.ViewCodeSequence[0].CodeMeaning
    assert copy.Manufacturer == "Maker"


# Pixels


def test_the_picture_stays_as_it_is() -> None:
    copy, _ = copy_of(dicom_file(ramp("<i2", -5)))
    assert (copy.pixel_array == ramp("<i2", -5)).all()


def test_compressed_pictures_stay_compressed() -> None:
    dataset = dicom_dataset(ramp("<u2"))
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2")
    dataset.compress(RLELossless)
    copy, _ = copy_of(dicom_bytes(dataset, RLELossless))
    assert copy.file_meta.TransferSyntaxUID == RLELossless
    assert (copy.pixel_array == ramp("<u2")).all()
    blacked, _ = copy_of(dicom_bytes(dataset, RLELossless), [[0, 0, 2, 1]])
    assert blacked.pixel_array[0].tolist() == [0, 0, 2, 3]
    codes = [i.CodeValue for i in blacked.DeidentificationMethodCodeSequence]
    assert "113101" in codes


@pytest.mark.parametrize(
    ("facts", "black"),
    [
        ({}, -4),
        ({"PhotometricInterpretation": "MONOCHROME1"}, 11),
    ],
)
def test_black_is_what_shows_as_black(facts: dict[str, Any], black: int) -> None:
    pixels = np.stack([ramp("<i2", -4), ramp("<i2", -4)])
    data = dicom_file(pixels, NumberOfFrames=2, **facts)
    copy, _ = copy_of(data, [[1, 2, 3, 4]])
    expected = pixels.copy()
    expected[:, 2:4, 1:3] = black
    assert (copy.pixel_array == expected).all()


def test_black_of_a_palette_and_of_colours() -> None:
    facts: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        facts[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 8]
        facts[f"{colour}PaletteColorLookupTableData"] = bytes([200, 100, 7, 250])
    pixels = np.array([[0, 1], [2, 1]], np.uint8)
    copy, _ = copy_of(dicom_file(pixels, **facts), [[0, 0, 1, 1]])
    assert copy.pixel_array.tolist() == [[2, 1], [2, 1]]
    ybr = np.full((2, 2, 3), 128, np.uint8)
    ybr[1, 1] = 90
    data = dicom_file(ybr, PhotometricInterpretation="YBR_FULL")
    copy, _ = copy_of(data, [[0, 0, 2, 1]])
    assert copy.PhotometricInterpretation == "RGB"
    assert copy.pixel_array[0].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert copy.pixel_array[1, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("region", [[0, 0, 5, 1], [-1, 0, 1, 1], [2, 0, 2, 1]])
def test_regions_must_lie_within(region: list[int]) -> None:
    with pytest.raises(ImageError, match="does not lie within the 4 × 4 pixels"):
        copy_of(dicom_file(ramp()), [region])


def test_a_damaged_header_is_refused_by_name() -> None:
    data = dicom_file(ramp(), SequenceOfUltrasoundRegions=[Dataset()])
    with pytest.raises(ImageError, match="x.dcm cannot be de-identified: its header"):
        copy_of(data)


def test_regions_around_ultrasound() -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 1, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 2, 3
    data = dicom_file(ramp(), SequenceOfUltrasoundRegions=[region])
    answer = deidentify(data, "x.dcm", KEY, [])
    assert answer["regions"] == [[0, 0, 4, 2], [0, 2, 1, 4], [3, 2, 4, 4]]


# Warnings


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "says that text is burned"),
        ({"Modality": "US"}, "often show the patient's name"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "often show the patient's"),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, ""),
        ({"Modality": "CT"}, ""),
        ({"Modality": "MR", "RecognizableVisualFeatures": "YES"}, "lets one recogn"),
    ],
)
def test_warnings(facts: dict[str, Any], words: str) -> None:
    data = dicom_file(ramp(), **{"Modality": "CT", **facts})
    _, warnings = copy_of(data)
    assert bool(warnings) == bool(words)
    assert words in "".join(warnings)


def test_a_name_within_the_pixels_is_told() -> None:
    pixels = np.frombuffer(b"..TESTER^TILDA..", np.uint8).reshape(4, 4)
    _, warnings = copy_of(dicom_file(pixels, Modality="CT"))
    assert "still occurs in the pixel data" in warnings[0]


# Real files


@pytest.fixture
def sandboxed() -> Iterator[None]:
    yield
    sandbox.close()


def identifying_values(dataset: Dataset) -> set[bytes]:
    """Every identifying text of 4 characters or more, and the parts of names."""
    found: set[str] = set()
    for element in dataset.iterall():
        if element.VR == "SQ" or not confidentiality.identifying(element):
            continue
        values = element.value if element.VM > 1 else [element.value]
        for value in values or []:
            if isinstance(value, bytes):
                continue
            found.add(str(value))
            found.update(str(value).split("^"))
    return {v.strip().lower().encode() for v in found if len(v.strip()) >= 4}


@pytest.mark.usefixtures("sandboxed")
def test_nothing_of_the_invented_patients_is_left(
    real_data: RealData, workspace: Path
) -> None:
    for path in sorted((real_data("dicom") / "phi").iterdir()):
        original = pydicom.dcmread(path)
        secrets = identifying_values(original)
        assert len(secrets) > 10
        copy = scans.deidentify(path)
        # Neither in the header nor anywhere else in the bytes; of the 39 digits of a
        # new UID four may be those of somebody's number by chance.
        content = re.sub(rb"2\.25\.\d+", b"", copy.data.lower())
        assert not [s for s in secrets if s in content], path
        assert copy.warnings, path
        before, after = (
            images.decode(path, window="file"),
            images.decode(copy.data, "copy", window="file"),
        )
        assert (before.pixels == after.pixels).all()
        for file in workspace.rglob("*"):
            kept = file.read_bytes().lower() if file.is_file() else b""
            assert not [s for s in secrets if s in kept], file


@pytest.mark.usefixtures("sandboxed")
def test_two_files_of_one_patient_stay_one_patient(real_data: RealData) -> None:
    folder = real_data("dicom") / "phi"
    copies = [
        pydicom.dcmread(io.BytesIO(scans.deidentify(folder / name).data))
        for name in ("ctbrain1.dcm", "ctbrain2.dcm")
    ]
    assert copies[0].PatientID == copies[1].PatientID
    assert copies[0].StudyInstanceUID == copies[1].StudyInstanceUID
    assert copies[0].StudyDate == copies[1].StudyDate != "20230101"


@pytest.mark.usefixtures("sandboxed")
def test_burned_in_text_is_blacked_out(real_data: RealData) -> None:
    path = real_data("dicom") / "phi" / "GREYSCALE_IMAGE.dcm"
    above = scans.deidentify(path).regions[0]
    assert above == (0, 0, 1024, 38)
    assert images.decode(path, window="file").pixels[:38].max() > 200  # text
    copy = scans.deidentify(path, black_out=[above])
    assert images.decode(copy.data, window="file").pixels[:38].max() == 0
    assert not copy.warnings


def test_every_picture_can_be_copied(real_data: RealData) -> None:
    folder = real_data("dicom") / "ok"
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    paths = [path for path in paths if path.stat().st_size <= 300_000]
    assert len(paths) > 60
    for path in paths:
        before = reading.read(path.read_bytes(), path.name)["pixels"]
        copy = deidentify(path.read_bytes(), path.name, KEY, [])["data"]
        assert (reading.read(copy, path.name)["pixels"] == before).all(), path


def test_encodings_that_pydicom_does_not_know_stay_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    frame = bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
    data = encapsulated_file(dicom_dataset(pixels), "1.2.840.10008.1.2.4.110", frame)
    copy = deidentify(data, "x.dcm", KEY, [])["data"]
    assert b"Tilda" not in copy and frame in copy
    assert (reading.read(copy, "x.dcm", values=True)["values"] == pixels).all()
    black = deidentify(data, "x.dcm", KEY, [[0, 0, 4, 4]])["data"]
    values = reading.read(black, "x.dcm", values=True)["values"]
    assert (values[:4, :4] == pixels.min()).all()
    assert (values[4:] == pixels[4:]).all()


def test_numbers_with_decimals_cannot_be_blacked_out() -> None:
    dataset = dicom_dataset(ramp("u1"), BitsAllocated=32)
    del dataset.PixelData
    dataset.FloatPixelData = ramp("<f4").tobytes()
    with pytest.raises(ImageError, match="x.dcm holds numbers with decimals"):
        deidentify(dicom_bytes(dataset), "x.dcm", KEY, [[0, 0, 1, 1]])
