"""When a DICOM image was taken."""

from __future__ import annotations

from datetime import date

import pytest

from medmodel.core.errors import ImageError
from medmodel.imaging.scans import acquisition_date
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
    assert acquisition_date(dicom_file(ramp(), **elements), "a.dcm") == day


def test_dates_that_are_none_are_passed_over() -> None:
    data = dicom_file(ramp(), AcquisitionDate="20240101", StudyDate="20231231")
    damaged = data.replace(b"20240101", b"20249901")
    assert acquisition_date(damaged, "a.dcm") == date(2023, 12, 31)
    old = data.replace(b"20240101", b"1999.1.1")
    assert acquisition_date(old, "a.dcm") == date(2023, 12, 31)


def test_other_files_have_none() -> None:
    with pytest.raises(ImageError, match="not a DICOM file"):
        acquisition_date(b"\x89PNG\r\n\x1a\n" + bytes(200), "a.png")
