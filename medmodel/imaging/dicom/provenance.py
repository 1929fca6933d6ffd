"""When, of whom and with which scanner a DICOM image was taken; for the sandbox.

References: PS3.3 C.7.6.1 (Content Date, Acquisition Date), C.7.3.1 (Series Date),
C.7.2.1 (Study Date), C.7.1.1 (Patient), C.7.5.1 (General Equipment); values as of PS3.5
6.2, DA and DT.
"""

from __future__ import annotations

import re
from datetime import date

from pydicom.dataset import Dataset

from medmodel.imaging.codecs import DAMAGED
from medmodel.imaging.dicom.reading import parse

_ELEMENTS = (
    *("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "SeriesDate"),
    "StudyDate",
)
"""The nearest to the moment of the image first."""
_SCANNER = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
_DAY = re.compile(r"\s*(\d{4})[.]?(\d{2})[.]?(\d{2})")


def read(data: bytes, name: str) -> dict[str, str]:
    """What the header says of how an image was taken.

    Args:
        data: The file.
        name: For messages.

    Returns:
        `date`: as ISO 8601, `""` where the header gives none that can be one.
        `patient_id`, `patient_name`, `born`, `scanner`: `""` where it does not say.

    Raises:
        ImageError: The header is damaged.
    """
    dataset = parse(data, name)
    return {
        "date": _day(dataset),
        "patient_id": _text(dataset, "PatientID"),
        # Carets that end a name stand for parts that are empty.
        "patient_name": _text(dataset, "PatientName").rstrip("^").casefold(),
        "born": _text(dataset, "PatientBirthDate"),
        "scanner": " ".join(filter(None, (_text(dataset, k) for k in _SCANNER))),
    }


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return str(dataset.get(keyword) or "").strip()
    except DAMAGED:
        return ""


def _day(dataset: Dataset) -> str:
    for keyword in _ELEMENTS:
        try:
            match = _DAY.match(str(dataset.get(keyword, "")))
            if match:
                day = date(*map(int, match.groups()))
                return day.isoformat()
        except (ValueError, *DAMAGED):
            continue  # another element may be whole
    return ""
