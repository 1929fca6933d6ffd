"""What in a DICOM header may tell who the patient is.

`confidentiality.csv` is table E.1-1 of DICOM PS3.15 (edition 2026c), column Basic
Profile, https://dicom.nema.org/medical/dicom/current/output/chtml/part15/chapter_E.html
Its actions: X remove, Z empty, D put in a dummy, U put in another UID; X/Z, X/D, Z/D
and X/Z/D leave the choice to what the file's kind requires.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag

# Free text, names, dates, and bytes of unknown meaning.
_TELLING = {"PN", "DA", "DT", "TM", "AS", "LT", "ST", "UT", "UC", "UR", "UN", "OB"}
_PIXELS = 0x7FE0


@functools.cache
def table() -> dict[str, str]:
    """Action by tag as eight hexadecimal digits; `60xx3000` stands for a group."""
    with Path(__file__).with_name("confidentiality.csv").open(newline="") as file:
        return {row["tag"]: row["action"] for row in csv.DictReader(file)}


def action(tag: BaseTag) -> str:
    """What the Basic Profile does to an element; empty if it keeps it.

    Beside the table: private elements and elements that the standard does not know
    are removed, since nobody can tell what they hold (PS3.15 E.1.1, E.3.10).
    """
    if tag.group == 2 and tag.element != 3:
        return ""  # file meta information, written anew
    if tag.is_private:
        return "X"
    row = table().get(f"{tag:08x}")
    if row is None and tag.group & 0xFF00 in (0x5000, 0x6000):
        # Curves, and overlays, which are images that may hold text.
        return "X"
    if row is None and tag.element and not dictionary_has_tag(tag):
        return "X"
    return row or ""


def identifying(element: DataElement) -> bool:
    """Whether a header viewer hides the value until it is asked for.

    More than the table says: everything about the patient, and all free text, names
    and dates.
    """
    tag = element.tag
    if tag.group == _PIXELS:
        return False
    return (
        bool(action(tag))
        or tag.group == 0x0010
        or (tag.group != 2 and element.VR in _TELLING)
    )
