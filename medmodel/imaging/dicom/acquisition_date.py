"""When a DICOM image was taken, by its header; to be called in the sandbox.

References: PS3.3 C.7.6.1 (Content Date, Acquisition Date), C.7.3.1 (Series Date),
C.7.2.1 (Study Date); values as of PS3.5 6.2, DA and DT.
"""

from __future__ import annotations

import re
from datetime import date

from medmodel.imaging.codecs import DAMAGED
from medmodel.imaging.dicom.reading import parse

_ELEMENTS = (
    *("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "SeriesDate"),
    "StudyDate",
)
"""The nearest to the moment of the image first."""
_DAY = re.compile(r"\s*(\d{4})[.]?(\d{2})[.]?(\d{2})")


def read(data: bytes, name: str) -> dict[str, str]:
    """The date of an image.

    Args:
        data: The file.
        name: For messages.

    Returns:
        `date`: as ISO 8601, `""` where the header gives none that can be one.

    Raises:
        ImageError: The header is damaged.
    """
    dataset = parse(data, name)
    for keyword in _ELEMENTS:
        try:
            match = _DAY.match(str(dataset.get(keyword, "")))
            if match:
                day = date(*map(int, match.groups()))
                return {"date": day.isoformat()}
        except (ValueError, *DAMAGED):
            continue  # another element may be whole
    return {"date": ""}
