"""The table row of a file: from folder and table, from its image, or what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from medmodel.data.describe import NOT_AN_IMAGE, describe_files
from medmodel.data.index_table import SampleRow
from medmodel.data.layout import FileEntry
from tests.dicom_files import dicom_file


def described(folder: Path, name: str, patient: str = "") -> SampleRow:
    entry = FileEntry(name, "a", "train", 123, 456, patient)
    ((row,),) = describe_files([entry], str(folder), {})
    assert row[:5] == entry[:5]
    return row


def test_a_tables_patient_counts_before_the_headers(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype="<u2").reshape(8, 8)
    (tmp_path / "x.dcm").write_bytes(dicom_file(pixels, PatientID="4711"))
    assert described(tmp_path, "x.dcm", "of the table").patient == "of the table"
    header = described(tmp_path, "x.dcm").patient
    assert header and "4711" not in header


def test_sides_are_not_exchanged(tmp_path: Path) -> None:
    Image.new("L", (40, 20), 90).save(tmp_path / "x.png")
    row = described(tmp_path, "x.png")
    assert (row.width, row.height, row.error) == (40, 20, "")
    assert row.format == "PNG" and row.digest


def test_what_is_no_image_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no image")
    (tmp_path / "x.png").write_text("no image")
    assert described(tmp_path, "notes", "p").error == NOT_AN_IMAGE
    assert described(tmp_path, "notes", "p").patient == "p"
    assert described(tmp_path, "x.png").error.startswith("x.png ")
    assert "gone.png cannot be opened" in described(tmp_path, "gone.png").error


def test_a_file_of_which_no_frame_shows_anything_has_a_reason(tmp_path: Path) -> None:
    blank = np.zeros((2, 8, 8), "<u2")
    (tmp_path / "x.dcm").write_bytes(dicom_file(blank, NumberOfFrames=2))
    assert "x.dcm shows nothing" in described(tmp_path, "x.dcm").error
