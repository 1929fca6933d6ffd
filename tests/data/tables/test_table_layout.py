"""Which file a line means, and lines that say different things of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data import layout
from medmodel.data.layouts.left_out import left_out
from medmodel.data.tables.table_layout import FileLookup
from medmodel.data.tables.table_lines import ManifestRow


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("7", "0007.png"),  # what a spreadsheet makes of 0007
        ("7.0", "0007.png"),  # and a program, of a column with blanks
        ("07.png", "0007.png"),
        ("0012", "12.png"),
        ("3", "3.png"),
        ("03", "03.png"),
        ("99", ""),
        ("7.5", ""),
        ("seven", ""),
    ],
)
def test_numbers_that_lost_their_zeros(written: str, file: str) -> None:
    lookup = FileLookup(["0007.png", "12.png", "3.png", "03.png"])
    row = ManifestRow(written, "a", "", "")
    assert [path for _row, path in lookup.match_all([row], "")] == [file]


def test_a_number_that_two_files_have_is_said() -> None:
    lookup = FileLookup(["007.png", "07.png"])
    row = ManifestRow("7", "a", "", "")
    ((_row, said),) = lookup.match_all([row], "")
    assert said == "2 files are called so: name the folder too"


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_belongs_to_the_line_that_is_written_as_it_is(order: int) -> None:
    lookup = FileLookup(["a/0012.png", "b/0012.png"])
    rows = [ManifestRow(name, "a", "", "") for name in ("a/12", "a/0012", "b/12")]
    found = {row.file: path for row, path in lookup.match_all(rows[::order], "")}
    assert found == {"a/12": "", "a/0012": "a/0012.png", "b/12": "b/0012.png"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["x_000.png,a,p1", "x_000.png,a,p2"], True),
        (["x_000.png,a,p1", "x_000.png,a,p1"], False),
        (["x_000.png,a,p1", "x_000.png,a,"], False),
        (["x_000.png,a,p1", "x_000.png,b,p1"], True),
    ],
)
def test_a_file_of_two_patients_is_said(
    beside: Path, lines: list[str], said: bool
) -> None:
    rows = ["file,label,patient", *lines, "y_000.png,b,p9"]
    (beside / "labels.csv").write_text("\n".join(rows))
    words = left_out(layout.read_layout(beside).ignored)
    assert ("named twice in labels.csv" in words) is said
    assert "x_000.png" not in words.partition("Note: ")[0]


@pytest.mark.parametrize("patients", [("p1", ""), ("", "p1"), ("", "p1", "")])
def test_a_patient_counts_whichever_line_says_it(
    beside: Path, patients: tuple[str, ...]
) -> None:
    rows = [f"x_000.png,a,{patient}" for patient in patients]
    rows = ["file,label,patient", *rows, "y_000.png,b,p1"]
    (beside / "labels.csv").write_text("\n".join(rows))
    first, second = layout.read_layout(beside).files
    assert first.patient == second.patient != ""


def test_a_patient_is_the_same_as_a_whole_number_and_with_a_decimal(
    beside: Path,
) -> None:
    rows = ["file,label,patient", "x_000.png,a,7", "y_000.png,b,7.0", "y_001.png,b,8"]
    (beside / "labels.csv").write_text("\n".join(rows))
    files = {f.path[-9:]: f.patient for f in layout.read_layout(beside).files}
    assert files["x_000.png"] == files["y_000.png"] != files["y_001.png"]


@pytest.mark.parametrize(
    ("words", "labels"),
    [(("+", "-"), {"+", "-"}), (("a", "-"), {"a"}), (("+", "NA"), {"+"})],
)
def test_minus_beside_plus_is_a_class(
    beside: Path, words: tuple[str, str], labels: set[str]
) -> None:
    rows = ["file,label", f"x_000.png,{words[0]}", f"y_000.png,{words[1]}"]
    (beside / "labels.csv").write_text("\n".join(rows))
    assert {file.label for file in layout.read_layout(beside).files} == labels
