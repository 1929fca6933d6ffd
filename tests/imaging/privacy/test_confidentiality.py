"""Which elements identify: by the table of PS3.15, by group and by kind of value."""

from __future__ import annotations

import pytest
from pydicom.dataelem import DataElement
from pydicom.tag import Tag

from medmodel.imaging.privacy.confidentiality import action, identifying


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (0x00100010, "Z"),  # patient's name
        (0x00080018, "U"),  # SOP instance UID
        (0x00280010, ""),  # rows
        (0x00020010, ""),  # transfer syntax: file meta information
        (0x00020003, "U"),  # media storage SOP instance UID
        (0x00091001, "X"),  # private
        (0x50003000, "X"),  # curve data
        (0x60003000, "X"),  # overlay data
        (0x60100010, "X"),  # rows of the ninth overlay
        (0x00180003, "X"),  # no element of the standard
        (0x00180000, ""),  # length of a group
    ],
)
def test_what_is_done_to_an_element(tag: int, expected: str) -> None:
    assert action(Tag(tag)) == expected


@pytest.mark.parametrize(
    ("tag", "kind", "value", "expected"),
    [
        (0x00100040, "CS", "F", True),  # all about the patient, here the sex
        (0x00100010, "PN", "Tester", True),
        (0x00180015, "CS", "CHEST", False),
        (0x00080060, "CS", "CT", False),
        (0x00280010, "US", 4, False),
        (0x00081070, "PN", "Tester", True),
        (0x00181400, "UN", b"x", True),  # of unknown meaning
        (0x00282000, "OB", b"x", True),  # the same element as bytes
        (0x00020102, "OB", b"x", False),  # file meta information
        (0x7FE00010, "OB", b"x", False),  # pixels
        (0x00091001, "LO", "x", True),
    ],
)
def test_what_is_hidden(tag: int, kind: str, value: object, expected: bool) -> None:
    assert identifying(DataElement(tag, kind, value)) == expected
