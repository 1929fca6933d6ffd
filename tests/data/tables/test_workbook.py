"""Workbooks are read as CSV is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.data import layout
from medmodel.data.tables.workbook import first_sheet

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


Rows = Sequence[Sequence[object]]


def workbook(sheets: Mapping[str, Rows]) -> bytes:
    """An Office Open XML workbook (ECMA-376) with the least that a reader needs."""
    numbers = range(1, len(sheets) + 1)
    names = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in zip(numbers, sheets, strict=True)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" '
        f'Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship '
        f'Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        f"{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="'
        f'{PACKAGE}/relationships">{links}</Relationships>',
    }
    for n, rows in zip(numbers, sheets.values(), strict=True):
        files[f"xl/worksheets/sheet{n}.xml"] = _sheet(rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _sheet(rows: Sequence[Sequence[object]]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell("ABCDEFGH"[at] + str(number), v) for at, v in enumerate(row)
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    return (
        f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
    )


def _cell(place: str, value: object) -> str:
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_workbook_says_the_classes(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    rows: Rows = [["file", "label"], *([f"{n}.png", n % 2] for n in range(4))]
    sheets: dict[str, Rows] = {
        "Notes": [["written by hand"]],
        "Labels": rows,
        "Old": rows,
    }
    (tmp_path / "labels.xlsx").write_bytes(workbook(sheets))
    files, ignored = layout.list_files(tmp_path)
    assert [(file.path, file.label) for file in files] == [
        (f"{n}.png", str(n % 2)) for n in range(4)
    ]
    assert ignored == [
        ("labels.xlsx", "its sheet 'Old' is not read, only the first is")
    ]


def test_cells_as_a_spreadsheet_writes_them() -> None:
    rows: Rows = [["a", "b"], [1.0, 0.5], ["x, y", 'say "so"']]
    text, others = first_sheet(workbook({"One": rows}), "w.xlsx")
    assert text.decode() == 'a,b\n1,0.5\n"x, y","say ""so"""\n'
    assert others == []


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04", b"file,label\n", workbook({}), workbook({"One": [["a"]]})],
)
def test_what_is_no_workbook_is_one_sentence(data: bytes) -> None:
    with pytest.raises(DataError, match=r"w\.xlsx cannot be read as a workbook"):
        first_sheet(data, "w.xlsx")


def test_a_workbook_that_grows_beyond_all_memory_is_refused() -> None:
    row = "<row>" + "<c><v>1</v></c>" * 100 + "</row>"
    data = workbook({"One": []})
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as plain,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            content = plain.read(name)
            if name.endswith("sheet1.xml"):
                content = content.replace(
                    b"<sheetData>", b"<sheetData>" + row.encode() * 110_000
                )
            packed.writestr(name, content)
    with pytest.raises(DataError, match="cannot be read as a workbook"):
        first_sheet(buffer.getvalue(), "w.xlsx")
