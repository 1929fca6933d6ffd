"""The header as a table: what is shown, what is hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from medmodel.core.errors import ImageError
from medmodel.imaging import scans
from medmodel.imaging.privacy import header_table
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file, ramp


def rows(data: bytes, reveal: bool = False) -> dict[str, header_table.Row]:
    return {row[0]: row for row in header_table.rows(data, "x.dcm", reveal)["rows"]}


def test_technical_values_are_shown_and_others_hidden() -> None:
    found = rows(dicom_file(ramp(), PatientBirthDate="19700101", KVP="120"))
    assert found["(0028,0010)"] == ("(0028,0010)", "Rows", "4", False)
    assert found["(0018,0060)"][2:] == ("120", False)
    assert found["(0010,0010)"] == ("(0010,0010)", "PatientName", None, True)
    assert found["(0010,0030)"][2:] == (None, True)
    assert found["(0008,0018)"][2:] == (None, True)  # UIDs find an image again
    assert found["(7FE0,0010)"][2:] == ("32 bytes", False)
    assert found["(0002,0010)"][2] == "1.2.840.10008.1.2.1 (Explicit VR Little Endian)"


def test_revealed() -> None:
    longest = "y" * header_table.MAX_TEXT
    facts = {"ImageComments": "x" * 500, "PatientComments": longest}
    found = rows(dicom_file(ramp(), **facts), reveal=True)
    assert found["(0010,4000)"][2] == longest
    assert found["(0010,0010)"][2:] == ("Tester^Tilda", True)
    assert found["(0020,4000)"][2] == "x" * (header_table.MAX_TEXT - 1) + "…"


def test_sequences_and_private_elements() -> None:
    item = Dataset()
    item.CodeValue, item.PatientID = "1", "4711"
    dataset = dicom_dataset(
        ramp(), ViewCodeSequence=[item], RequestAttributesSequence=[item]
    )
    dataset.add_new(0x00091001, "LO", "Tilda was here")
    found = rows(dicom_bytes(dataset))
    assert found["(0054,0220)"][1:3] == ("ViewCodeSequence", "1 item")
    assert found["(0054,0220)[1](0008,0100)"][2:] == ("1", False)
    assert found["(0054,0220)[1](0010,0020)"][2:] == (None, True)
    # Harmless by itself, but in a sequence that is not.
    assert found["(0040,0275)[1](0008,0100)"][2:] == (None, True)
    assert found["(0009,1001)"][1:] == ("private", None, True)


def test_values_as_text() -> None:
    kinds = ["ORIGINAL", "PRIMARY"]
    dataset = dicom_dataset(ramp(), ImageType=kinds, ImageComments="a\nb")
    dataset.add_new("KVP", "DS", None)
    dataset.add_new(0x00180003, "LO", "odd")
    dataset.ViewCodeSequence = [Dataset(), Dataset()]
    dataset.AnatomicRegionSequence = []
    found = rows(dicom_bytes(dataset), reveal=True)
    assert found["(0008,0008)"][2] == "ORIGINAL\\PRIMARY"
    assert found["(0018,0060)"][2] == ""
    assert found["(0020,4000)"][2] == "a b"
    assert found["(0018,0003)"][1:] == ("unknown", "odd", True)
    assert found["(0054,0220)"][2] == "2 items"
    assert found["(0008,2218)"][2] == "0 items"


def test_depth_and_number_of_rows_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    item = Dataset()
    item.CodeValue = "deepest"
    for _ in range(header_table.MAX_DEPTH + 1):
        outer = Dataset()
        outer.ViewCodeSequence = [item]
        item = outer
    data = dicom_bytes(dicom_dataset(ramp(), ViewCodeSequence=item.ViewCodeSequence))
    depths = [tag.count("[") for tag in rows(data)]
    assert max(depths) == header_table.MAX_DEPTH
    assert "(0008,0100)" not in "".join(rows(data))
    monkeypatch.setattr(header_table, "MAX_ROWS", 7)
    assert len(rows(data)) == 7


def test_what_an_identifying_sequence_holds_is_shown_when_asked() -> None:
    item = Dataset()
    item.CodeValue = "1"
    data = dicom_file(ramp(), RequestAttributesSequence=[item])
    assert rows(data, reveal=True)["(0040,0275)[1](0008,0100)"][2:] == ("1", True)


def test_damaged_elements_and_files() -> None:
    rows_element = b"\x28\x00\x10\x00"
    data = dicom_file(ramp()).replace(rows_element + b"US", rows_element + b"ZZ")
    assert rows(data)["(0028,0010)"][1:] == ("damaged", None, True)
    with pytest.raises(ImageError, match=r"x.txt is not a DICOM file\."):
        scans.header_rows(b"text" * 99, "x.txt")


def test_nothing_identifying_is_shown(real_data: Callable[[str], Path]) -> None:
    paths = sorted((real_data("dicom") / "phi").iterdir())
    assert len(paths) == 4
    for path in paths:
        hidden = scans.header_rows(path)
        shown = scans.header_rows(path, reveal=True)
        assert [r.tag for r in hidden] == [r.tag for r in shown]
        text = "\n".join(row.value or "" for row in hidden)
        for row in shown:
            if row.keyword in ("PatientName", "PatientID", "InstitutionName"):
                assert row.value and row.value not in text
