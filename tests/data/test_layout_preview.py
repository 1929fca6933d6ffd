from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from medmodel.data.layout import read_layout
from medmodel.data.layout_preview import preview_in, preview_layout
from medmodel.data.layouts.layout_choice import (
    FolderReading,
    LayoutChoice,
    TableReading,
    save_choice,
)
from tests.data.test_layout import fill


def with_classes(*folders: str) -> list[str]:
    return [f"{f}/{c}/{n}.png" for f, c, n in product(folders, "ab", "12")]


KNOWN = {"train": "train", "test": "test"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("paths", "question", "first"),
    [
        (with_classes("one", "two"), True, ((), 1, 0, {"one": "", "two": ""})),
        (with_classes("fold_a", "fold_b"), True, ((), 1, 0, dict.fromkeys(
            ("fold_a", "fold_b"), ""))),
        (
            with_classes("train", "more"),
            True,
            ((), 1, 0, {"train": "train", "more": ""}),
        ),
        (["train/1.png", "test/1.png"], True, ((), 0, None, {})),
        (["a/p/train/1.png", "b/q/test/1.png"], True, ((), 0, 2, KNOWN)),
        (
            ["c_train/1.png", "c_test/1.png", "d_train/1.png"],
            True,
            ((), 0, 0, {"c_train": "train", "c_test": "test", "d_train": "train"}),
        ),
        (with_classes("x/train", "x/test"), False, (("x",), 1, 0, KNOWN)),
        (["a/1.png", "b/1.png"], False, ((), 0, None, {})),
    ],
)  # fmt: skip
def test_the_likeliest_reading_comes_first(
    folder: Path, paths: list[str], question: bool, first: tuple[object, ...]
) -> None:
    preview = preview_layout(fill(folder, paths))
    assert bool(preview.question) == question
    reading = preview.readings[0]
    around, label, split, splits = first
    assert (reading.around, reading.class_level, reading.split_level) == (
        around,
        label,
        split,
    )
    assert reading.splits == splits


def test_both_readings_are_offered_with_their_images(folder: Path) -> None:
    preview = preview_layout(fill(folder, with_classes("one", "two")))
    offered = [sorted(preview.classes(reading)) for reading in preview.readings]
    assert ["one", "two"] in offered and ["a", "b"] in offered
    reading = FolderReading((), 1, 0, {"one": "train", "two": ""})
    assert preview.classes(reading) == {
        "a": {"train": ["one/a/1.png", "one/a/2.png"]},
        "b": {"train": ["one/b/1.png", "one/b/2.png"]},
    }
    assert preview.names((), 0) == {"one": 4, "two": 4}


def test_what_was_chosen_comes_first(folder: Path) -> None:
    fill(folder, with_classes("one", "two"))
    choice = LayoutChoice(FolderReading((), 0))
    save_choice(folder, choice)
    preview = preview_layout(folder)
    assert preview.readings[0] == choice.folders
    assert preview.readings.count(FolderReading((), 0)) == 1
    assert (preview.question, preview.choice) == ("", choice)


def test_a_table_with_unusual_columns_is_guessed_by_its_values(folder: Path) -> None:
    fill(folder, [f"pics/{n}.png" for n in range(4)])
    rows = "".join(f"u{n};{n}.png;{'ab'[n % 2]};{n};train\n" for n in range(4))
    (folder / "data.csv").write_text("who;pic;what;size;when\n" + rows)
    preview = preview_layout(folder)
    assert (preview.table, "data.csv names files" in preview.question) == (
        "data.csv",
        True,
    )
    (table,) = preview.tables
    assert table.reading == TableReading(
        "pic", "what", split="when", splits={"train": "train"}
    )
    assert table.words["what"] == {"a": 2, "b": 2}
    assert table.rows[0] == ["u0", "0.png", "a", "0", "train"]
    assert table.shared == {"what", "when"}


def test_a_table_without_a_header_has_numbered_columns(folder: Path) -> None:
    fill(folder, ["img/1.png", "img/2.png", "img/3.png"])
    (folder / "train.txt").write_text("p1 1.png ill\np2 2.png well\np3 3.png ill\n")
    preview = preview_layout(folder)
    assert preview.question and preview.table == "train.txt"
    (table,) = preview.tables
    assert table.header == ["(1)", "(2)", "(3)"] and len(table.rows) == 3
    assert table.reading == TableReading("(2)", "(3)")
    save_choice(folder, LayoutChoice(tables={"train.txt": table.reading}))
    files = {f.path: (f.label, f.split) for f in read_layout(folder).files}
    assert files == {
        "img/1.png": ("ill", "train"),
        "img/2.png": ("well", "train"),
        "img/3.png": ("ill", "train"),
    }


def test_a_title_is_no_header_of_a_table_that_nobody_knows(folder: Path) -> None:
    fill(folder, ["img/1.png", "img/2.png"])
    (folder / "t.csv").write_text("Study 7\n\nnom,sorte\n1.png,a\n2.png,b\n")
    preview = preview_layout(folder)
    (table,) = preview.tables
    assert (table.header, table.reading) == (
        ["nom", "sorte"],
        TableReading("nom", "sorte"),
    )
    save_choice(folder, LayoutChoice(tables={"t.csv": table.reading}))
    assert {f.label for f in read_layout(folder).files} == {"a", "b"}


def test_readings_of_an_encoding_are_offered(folder: Path) -> None:
    fill(folder, ["img/1.png", "img/2.png"])
    text = "file,label\n1.png,s\u00e9v\u00e8re\n2.png,ni\u00f1o\n"
    (folder / "t.csv").write_bytes(text.encode("cp1252"))
    preview = preview_layout(folder)
    assert "does not say its encoding" in preview.question
    assert preview.table == "t.csv"
    (table,) = preview.tables
    assert table.encodings["cp1252"] == ["s\u00e9v\u00e8re", "ni\u00f1o"]
    other = preview_in(folder, "t.csv", "cp1250")
    assert other is not None and other.encoding == "cp1250"
    assert set(other.words["label"]) == {"s\u00e9v\u010dre", "ni\u0144o"}
    reading = TableReading("file", "label", encoding="cp1250")
    save_choice(folder, LayoutChoice(tables={"t.csv": reading}))
    preview = preview_layout(folder)
    assert not preview.question and preview.tables[0].encoding == "cp1250"
