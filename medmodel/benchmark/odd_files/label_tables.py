"""Cases of `odd_files`: tables that name classes, in all encodings, forms and kinds.

What is compared: files by class and split, the sentence of a question, or that one of
both was chosen. A text whose encoding is not certain may be read rightly or asked
about, and never otherwise.
"""

from __future__ import annotations

import io
import itertools
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.layouts import drawn, listed_drawing, write_drawing
from medmodel.data.layout_preview import preview_layout
from medmodel.data.layouts.layout_choice import AmbiguousLayoutError

_WORDS = {
    # encoding -> some classes in languages that it is for
    "cp1250": "zdravý nádor|prawidłowy gruźlica|egészséges tüdőgyulladás|příznak léze",
    "cp1251": "норма опухоль|Здоров Болен|пухлина норма|здрав тумор",
    "cp1252": "Läsion gesund|sévère bénin|niño adulto|coração pulmão|frisk sjúkur",
    "cp1253": "φυσιολογικό πνευμονία|ΥΓΙΗΣ ΟΓΚΟΣ",
    "cp1254": "sağlıklı zatürre|tümör değil",
    "cp1255": "תקין גידול|שפיר ממאיר",
    "cp1256": "سليم مريض|طبيعي ورم",
    "cp1257": "sveikas vėžys|vesels slimība",
    "cp874": "ปกติ ผิดปกติ",
    "cp932": "正常 肺炎|良性 悪性|あり なし",
    "euc_jp": "正常 肺炎|あり なし",
    "gb18030": "正常 肺炎|良性 恶性|左 右",
    "cp950": "正常 肺炎|良性 惡性",
    "cp949": "정상 폐렴|양성 음성",
    "koi8_r": "норма опухоль",
    "iso8859_2": "žádný nález",
    "iso8859_5": "норма опухоль",
    "iso8859_7": "Άλλο φυσιολογικό",
    "mac_roman": "Läsion Röntgen",
    "cp866": "норма опухоль",
    "cp850": "Läsion gesund",
    "utf-8": "正常 sévère",
    "utf-16": "正常 sévère",
}
_PATHS = ["img/1.png", "img/2.png", "img/3.png", "img/4.png"]
_ABOVE = {
    "nothing": "",
    "a title": "Findings of our clinic\n",
    "a title with commas": "Findings, of 2019;;;\n",
    "blank lines": "\n\n \n",
    "a title and a blank row": "Findings\n;;;\n",
    "sep=": "sep=;\n",
}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
Rows = Sequence[Sequence[object]]
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def cases(_: Path) -> Iterator[Case]:
    """Encodings, titles and separators, tables without a header, workbooks."""
    yield from encoding_cases()
    yield from form_cases()
    yield from question_cases()
    yield from workbook_cases()


def encoding_cases() -> Iterator[Case]:
    """Classes in each encoding: in a column, as columns, and after much ASCII."""
    for encoding, sets in _WORDS.items():
        for one, two in (words.split() for words in sets.split("|")):
            rows = [f"{p},{(one, two)[n % 2]}" for n, p in enumerate(_PATHS)]
            columns = [f"{p},{n % 2},{1 - n % 2}" for n, p in enumerate(_PATHS)]
            for name, lines in {
                "a column": ["file,label", *rows],
                "columns": [f"file,{two},{one}", *columns],
                "the end": ["file,label", *["x.png,a"] * 9000, *rows],
            }.items():
                table = {"my l.csv": "\n".join([*lines, ""]).encode(encoding)}
                right = {one: 2, two: 2}
                yield Case(
                    f"{one} in {name}, {encoding}",
                    partial(_read_or_asked, table, right),
                    "right",
                )


def _read_or_asked(table: Mapping[str, bytes], right: Mapping[str, int]) -> str:
    """Whether the classes are these, or nothing is read until somebody is asked."""
    try:
        classes, _left = listed_drawing(_PATHS, table)
    except AmbiguousLayoutError:
        return "right"
    return "right" if classes in ({}, right) else f"read as {classes}"


def form_cases() -> Iterator[Case]:
    """Lines above the header, separators and suffixes."""
    lines = ["file;label;note", *(f"{p};{'ab'[n % 2]};" for n, p in enumerate(_PATHS))]
    kinds = itertools.product(_ABOVE, ";\t,|", (".csv", ".txt", ".tsv"))
    for above, separator, suffix in kinds:
        if above == "sep=" and separator != ";":
            continue
        text = _ABOVE[above] + "\n".join(x.replace(";", separator) for x in lines)
        name = f"{above} above, {separator!r}, {suffix}"
        yield drawn(name, _PATHS, {"a": 2, "b": 2}, table={f"my l{suffix}": text})
    blanks = "\n".join(x.rstrip(";").replace(";", "  ") for x in lines)
    blanks = blanks.replace("  note", "")
    yield drawn("blanks", _PATHS, {"a": 2, "b": 2}, table={"my l.txt": blanks})
    for text in ("Read me.\nFiles, labels.\n", "", "0 0.5 0.5\n", "a\tb\n"):
        paths = ["a/1.png", "b/1.png"]
        yield drawn(f"{text!r}", paths, {"a": 1, "b": 1}, table={"read me.txt": text})


def question_cases() -> Iterator[Case]:
    """Tables that nobody knows: asked about, with what their values suggest."""
    for separator, name in (
        (",", "my t.csv"),
        (" ", "my t.txt"),
        ("\t", "my t.txt"),
        (";", "my t.csv"),
    ):
        rows = [f"p{n},{p[4:]},{'ab'[n % 2]}" for n, p in enumerate(_PATHS)]
        for header, columns in {
            "": ("(2)", "(3)"),
            "who,pic,what\n": ("pic", "what"),
            "Our study\nwho,pic,what\n": ("pic", "what"),
        }.items():
            text = (header + "\n".join(rows)).replace(",", separator)
            result = partial(_question, {name: text.encode()})
            yield Case(f"unknown {header!r}, {separator!r}", result, (name, *columns))


def _question(table: Mapping[str, bytes]) -> tuple[str, str, str]:
    """Which table is asked about, and its columns of file and class as guessed."""
    with tempfile.TemporaryDirectory() as place:
        preview = preview_layout(write_drawing(Path(place), _PATHS, table))
        reading = preview.tables[0].reading
        return preview.table, reading.file, reading.label


def workbook_cases() -> Iterator[Case]:
    """Office Open XML: titles, other sheets, numbers, words of all scripts."""
    header = ["file", "label"]
    for one, two in (
        ("a", "b"),
        ("正常", "肺炎"),
        ("sévère", "nádor"),
        (0, 1),
        (0.5, 1),
    ):
        rows: Rows = [header, *([p, (one, two)[n % 2]] for n, p in enumerate(_PATHS))]
        expected = {str(one): 2, str(two): 2}
        notes: Rows = [["by hand"]]
        kinds: dict[str, dict[str, Rows]] = {
            "alone": {"One": rows},
            "below a title": {"One": [["Our study"], [], *rows]},
            "behind notes": {"Notes": notes, "One": rows},
            "before another": {"One": rows, "Old": rows},
        }
        for name, sheets in kinds.items():
            left = "Left out: l.xlsx" if "Old" in sheets else ""
            table = {"l.xlsx": workbook(sheets)}
            yield drawn(f"{one} {name}", _PATHS, expected, left, table)


def workbook(sheets: Mapping[str, Rows]) -> bytes:
    """A workbook (ECMA-376) with the least that a reader needs."""
    names = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/worksheet" '
        f'Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship '
        f'Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
        f"{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="'
        f'{_PACKAGE}/relationships">{links}</Relationships>',
        **{
            f"xl/worksheets/sheet{n}.xml": _sheet(rows)
            for n, rows in enumerate(sheets.values(), 1)
        },
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _sheet(rows: Rows) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell("ABCDEFGH"[at] + str(number), value) for at, value in enumerate(row)
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    content = "".join(lines)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{content}</sheetData></worksheet>'


def _cell(place: str, value: object) -> str:
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
