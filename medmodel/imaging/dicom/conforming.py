"""Values of a DICOM header that a new file of the same study may have (PS3.5 6.2)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

COPIED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber"),
    "ReferringPhysicianName",
)
"""Elements of patient and study that a new file of the same study has, too."""


def stored_text(header: Dataset, keyword: str) -> str:
    """An element's value as it is stored; "" where it is absent or no value.

    Several values have a backslash between them, as in the file.
    """
    from pydicom.multival import MultiValue

    try:
        value = header.get(keyword)
    except (TypeError, ValueError):  # such as 1A as a number of frames
        return ""
    if isinstance(value, MultiValue):
        value = "\\".join(map(str, value))
    return "" if value is None else str(value).strip()


def conforming(header: Dataset, keyword: str) -> str:
    """An element's value where a new file may have it; else "".

    Of several values, where one may be, none is taken: which is right nobody knows.
    Dates and times as before DICOM 3.0 (`1997.04.24`, `14:04:38`) are written as now.
    """
    from pydicom import config
    from pydicom.datadict import dictionary_VR
    from pydicom.valuerep import validate_value

    value, kind = stored_text(header, keyword), dictionary_VR(keyword)
    if "\\" in value:
        return ""
    value = value.replace(".", "") if kind == "DA" else value
    value = value.replace(":", "") if kind == "TM" else value
    try:
        if kind == "DA" and value:
            datetime.strptime(value, "%Y%m%d")
        elif kind == "TM" and value:
            datetime.strptime(value.partition(".")[0].ljust(6, "0")[:6], "%H%M%S")
        validate_value(kind, value, config.RAISE)
    except ValueError:
        return ""
    return "" if keyword == "PatientSex" and value not in ("M", "F", "O") else value
