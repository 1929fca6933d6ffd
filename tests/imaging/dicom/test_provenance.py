"""When, of whom and with which scanner a DICOM image was taken."""

from __future__ import annotations

from datetime import date

import pytest

from medmodel.core.errors import ImageError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.imaging.scans import Provenance, read_provenance
from tests.dicom_files import dicom_file, ramp


@pytest.mark.parametrize(
    ("elements", "day"),
    [
        ({"StudyDate": "20240115"}, date(2024, 1, 15)),
        ({"StudyDate": "20240115", "ContentDate": "20240116"}, date(2024, 1, 16)),
        (
            {"AcquisitionDateTime": "20240117101112.5", "AcquisitionDate": "20240118"},
            date(2024, 1, 17),
        ),
        ({"AcquisitionDate": "", "SeriesDate": "20240229"}, date(2024, 2, 29)),
        ({"StudyDate": ""}, None),
        ({}, None),
    ],
)
def test_the_nearest_date_counts(elements: dict[str, str], day: date | None) -> None:
    assert read_provenance(dicom_file(ramp(), **elements), "a.dcm").day == day


def test_dates_that_are_none_are_passed_over() -> None:
    data = dicom_file(ramp(), AcquisitionDate="20240101", StudyDate="20231231")
    damaged = data.replace(b"20240101", b"20249901")
    assert read_provenance(damaged, "a.dcm").day == date(2023, 12, 31)
    old = data.replace(b"20240101", b"1999.1.1")
    assert read_provenance(old, "a.dcm").day == date(2023, 12, 31)


def test_other_files_have_none() -> None:
    with pytest.raises(ImageError, match="not a DICOM file"):
        read_provenance(b"\x89PNG\r\n\x1a\n" + bytes(200), "a.png")


def test_whom_it_shows_is_known_by_pseudonyms_alone() -> None:
    data = dicom_file(
        ramp(),
        PatientID=" 12345 ",
        PatientName="Doe^Jane^^",
        PatientBirthDate="19700101",
        Manufacturer="Maker",
        DeviceSerialNumber="7",
    )
    read = read_provenance(data, "a.dcm")
    assert read.patient_id == patient_pseudonym("12345")
    assert read.patient_name == patient_pseudonym("doe^jane")
    assert read.born == patient_pseudonym("19700101")
    assert read.scanner == "Maker 7"
    nobody = dicom_file(ramp(), PatientID="", PatientName="", PatientBirthDate="")
    assert read_provenance(nobody, "a.dcm").patient_id == ""
    assert read_provenance(nobody, "a.dcm").born == Provenance().born
