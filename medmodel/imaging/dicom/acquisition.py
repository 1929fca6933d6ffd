"""Whom and with what a DICOM image was taken, without who it is; for the sandbox.

References: PS3.3 C.7.1.1 and C.7.2.2 (Patient's Sex, Patient's Age), C.7.5.1
(Manufacturer, Institution Name, Manufacturer's Model Name), C.8.11.1 and C.8.1.1 (View
Position); ages as of PS3.5 6.2, AS.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from medmodel.imaging.codecs import DAMAGED
from medmodel.imaging.dicom.reading import parse

_LONGEST = 64


def read(data: bytes, name: str) -> dict[str, str]:
    """What groups of images may be made of.

    Args:
        data: The file.
        name: For messages.

    Returns:
        `sex`, `age` (as `045Y`), `scanner`, `site` and `view`, "" where the header does
        not say.

    Raises:
        ImageError: The header is damaged.
    """
    dataset = parse(data, name)
    makers = [_text(dataset, k) for k in ("Manufacturer", "ManufacturerModelName")]
    return {
        "sex": _text(dataset, "PatientSex"),
        "age": _text(dataset, "PatientAge"),
        "scanner": " ".join(filter(None, makers)),
        "site": _text(dataset, "InstitutionName"),
        "view": _text(dataset, "ViewPosition"),
    }


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except DAMAGED:  # others may be whole
        return ""
    return "" if value is None else " ".join(str(value).split())[:_LONGEST]
