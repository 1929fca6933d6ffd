"""Tables as texts: encodings, titles above the header, blanks between columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data import layout
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    LayoutChoice,
    TableReading,
    save_choice,
)
from medmodel.data.layouts.left_out import left_out
from medmodel.data.tables import manifest, table_text
from tests.data.tables.test_manifest import ROWS, places, words, write


@pytest.mark.parametrize(
    ("encoding", "label"),
    [
        ("gb18030", "\u80ba\u708e"),
        ("cp932", "\u809d\u708e"),
        ("cp932", "\u304c\u3093"),
        ("cp949", "\ud3d0\ub834"),
        ("cp950", "\u7570\u5e38"),
        ("cp1251", "\u043d\u043e\u0440\u043c\u0430"),
        ("cp1252", "B\u00f6sartig"),
        ("utf-8", "\u00fcbel"),
        ("utf-32", "\u00fcbel"),
        ("utf-16", "\u00fcbel"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_encodings_of_other_countries(
    beside: Path, encoding: str, label: str, late: bool
) -> None:
    head = "file,label\n" + "y/y_000.png,well\n" * (table_text.HEAD // 16 * late)
    text = head + f"x/x_000.png,{label}\ny/y_000.png,well\n"
    (beside / "labels.csv").write_bytes(text.encode(encoding))
    assert places(beside)["x/x_000.png"] == (label, "")


def test_a_label_with_a_line_break_and_other_line_ends(beside: Path) -> None:
    text = 'file;"no\nte";label\rx/x_000.png;"1\r2";"a\r b"\ry/y_000.png;3;c\r'
    (beside / "labels.csv").write_bytes(text.encode())
    assert set(places(beside).values()) == {("a b", ""), ("c", "")}


@pytest.mark.parametrize("late", [False, True])
def test_an_encoding_that_is_not_certain_is_asked_about(
    beside: Path, late: bool
) -> None:
    head = "file,label\n" + "y/y_000.png,well\n" * (table_text.HEAD // 16 * late)
    text = head + "x/x_000.png,s\u00e9v\u00e8re\ny/y_000.png,well\n"
    (beside / "labels.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(AmbiguousLayoutError, match="does not say its encoding") as told:
        layout.list_files(beside)
    assert "'s\u00e9v\u00e8re' or 's\u00e9v\u010dre'" in str(told.value)
    assert told.value.table == "labels.csv"
    for encoding, label in (
        ("cp1252", "s\u00e9v\u00e8re"),
        ("cp1250", "s\u00e9v\u010dre"),
    ):
        reading = TableReading("file", "label", encoding=encoding)
        save_choice(beside, LayoutChoice(tables={"labels.csv": reading}))
        assert places(beside)["x/x_000.png"] == (label, "")
        assert "is a guess" not in " ".join(layout.read_layout(beside).sentences)


def test_an_encoding_that_changes_no_class_is_not_asked_about(beside: Path) -> None:
    text = "file,label,remark\nx/x_000.png,ill,s\u00e9v\u00e8re\ny/y_000.png,well,\n"
    (beside / "labels.csv").write_bytes(text.encode("cp1252"))
    assert places(beside)["x/x_000.png"] == ("ill", "")
    assert "Western (Windows) is a guess" in layout.read_layout(beside).sentences[0]


def test_columns_named_after_classes_are_words_of_classes(beside: Path) -> None:
    text = "file,s\u00e9v\u00e8re,well\nx/x_000.png,1,0\ny/y_000.png,0,1\n"
    (beside / "labels.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(AmbiguousLayoutError, match="does not say its encoding"):
        layout.list_files(beside)


def test_words_of_splits_are_read_in_the_right_encoding(beside: Path) -> None:
    words = (
        "\u041e\u0431\u0443\u0447\u0435\u043d\u0438\u0435",
        "\u0422\u0435\u0441\u0442",
    )
    rows = [f"{path},{path[0]},{word}" for path, word in zip(ROWS, words, strict=False)]
    text = "\n".join(["file,label,split", *rows, ""])
    (beside / "labels.csv").write_bytes(text.encode("cp1251"))
    assert [split for _, split in places(beside).values()] == ["train", "test"]


ABOVE = {
    "a title": "Findings of 2019",
    "a title with separators": "Findings, 2019;;;",
    "blank lines": "\n \n\n",
    "a title and blank lines": "Findings\n\n\nExported today\n",
    "an empty row": ";;;",
    "a byte order mark and a title": "\ufeffFindings",
}


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("name", ["labels.csv", "labels.txt", "labels.tsv"])
@pytest.mark.parametrize("separator", [";", "\t", ",", "|"])
def test_lines_above_the_header(
    beside: Path, above: str, name: str, separator: str
) -> None:
    lines = ["file;label;remark", "x/x_000.png;ill;a", "y/y_000.png;well;"]
    text = "\n".join([ABOVE[above], *(x.replace(";", separator) for x in lines)])
    (beside / name).write_text(text, encoding="utf-8")
    assert places(beside) == {"x/x_000.png": ("ill", ""), "y/y_000.png": ("well", "")}


def test_a_title_of_as_many_cells_is_the_header(beside: Path) -> None:
    write(beside, "Findings,2019", "file,label", "x/x_000.png,ill", "y/y_000.png,well")
    assert "labels.csv" not in str(layout.read_layout(beside).sentences)


def test_the_header_stands_within_the_first_rows(beside: Path) -> None:
    for titles, used in ((9, True), (10, False)):
        lines = ["file,label", "x/x_000.png,ill", "y/y_000.png,well"]
        write(beside, *["title"] * titles, *lines)
        assert ("labels.csv" in str(layout.read_layout(beside).sentences)) is used


def test_a_text_with_blanks_between_its_columns(beside: Path) -> None:
    text = 'file   label\nx/x_000.png ill\n\n "y/y_000.png"\t well \n'
    (beside / "labels.txt").write_text(text, encoding="utf-8")
    assert places(beside) == {"x/x_000.png": ("ill", ""), "y/y_000.png": ("well", "")}
    (beside / "labels.txt").rename(beside / "labels.csv")
    assert "labels.csv" not in str(layout.read_layout(beside).sentences)


@pytest.mark.parametrize(
    "text", ["Read me: files, labels.\nAll is well.\n", "", "\xff", "0 0.5 0.5\n"]
)
def test_other_texts_are_no_images_and_no_tables(beside: Path, text: str) -> None:
    (beside / "README.txt").write_text(text, encoding="latin-1")
    found = layout.read_layout(beside)
    assert ("README.txt", "not an image") in found.ignored
    assert not left_out(found.ignored)


def test_texts_beside_images_hide_no_table(beside: Path) -> None:
    for number in range(30):
        (beside / f"{number}.txt").write_text("0 0.5 0.5\n")
    write(beside, "file,label", "x/x_000.png,ill", "y/y_000.png,well")
    assert places(beside)["x/x_000.png"] == ("ill", "")


def test_classes_that_are_words_in_no_encoding_are_asked_about(beside: Path) -> None:
    label, note = "прстнвкл", "доброкачественная"
    text = f"file,label,note\nx/x_000.png,{label},{note}\ny/y_000.png,well,\n"
    (beside / "labels.csv").write_bytes(text.encode("cp1251"))
    with pytest.raises(AmbiguousLayoutError, match="does not say its encoding"):
        layout.list_files(beside)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_a_text_that_is_called_a_workbook_is_read_as_text(
    beside: Path, encoding: str
) -> None:
    label = "доброкачественная"
    text = f"Title\n\nfile\tlabel\nx/x_000.png\t{label}\ny/y_000.png\twell\n"
    (beside / "labels.xls").write_bytes(text.encode(encoding))
    assert places(beside)["x/x_000.png"] == (label, "")


@pytest.mark.parametrize("content", [b"", b"<html><table>", b"PK\3\4\0", b"\xd0\xcf\0"])
def test_what_is_no_text_is_no_workbook_either(beside: Path, content: bytes) -> None:
    (beside / "labels.xls").write_bytes(content)
    assert "labels.xls cannot be read as a workbook" in words(beside)


def test_prose_that_begins_like_a_header_is_no_table(tmp_path: Path) -> None:
    for name in ("dark/a1.png", "light/b1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "ORIGIN.txt").write_text(
        "NAME      blood cells, subset\n"
        "SOURCE    an archive, commit 1\n"
        "LICENCE   CC BY 4.0\n"
        "SUBSET    the pair dark/a1.png and light/b1.png is forced in\n"
    )
    paths = ["ORIGIN.txt", "dark/a1.png", "light/b1.png"]
    tables, others = manifest.find_tables(tmp_path, paths)
    assert tables == [] and [path for path, _ in others] == ["ORIGIN.txt"]
    (tmp_path / "ORIGIN.txt").write_text("NAME split\na1.png train\nb1.png test\n")
    tables, others = manifest.find_tables(tmp_path, paths)
    assert [table.path.name for table in tables] == ["ORIGIN.txt"] and not others


@pytest.mark.parametrize("mark", ["\a", "\x1b[31m", "\x9b", "\x7f", "\b"])
def test_what_controls_a_terminal_is_no_part_of_a_value(mark: str) -> None:
    text = f"file,label\n1.png,a{mark}\n"
    visible = mark.lstrip("\a\b\x1b\x7f\x9b")
    assert list(table_text.rows(text, ","))[1] == ["1.png", f"a{visible}"]
