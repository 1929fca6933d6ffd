"""Lists of file names say the splits, two of them at least."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data import layout
from medmodel.data.layouts.left_out import left_out
from tests.data.test_layout import fill

PATHS = ["a/1.png", "a/2.png", "b/3.png", "b/4.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    return fill(folder, PATHS)


def splits(folder: Path, **lists: str) -> dict[str, str]:
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return {file.path: file.split for file in layout.list_files(folder)[0]}


def left(folder: Path) -> str:
    return left_out(layout.list_files(folder)[1])


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("a/1.png\nb/3.png\n", "a/2.png\nb/4.png"),
        ("1\n3\n", "2\n4\n"),
        ("\ufeff1.png\r\n\r\n3.png\r\n", "/data/set/a/2.png\n/data/set/b/4.png\n"),
        ("1.png\n3.png", "2.dcm\n4.dcm"),
    ],
)
def test_lists_of_two_splits_count(folder: Path, train: str, test: str) -> None:
    assert splits(folder, train_list=train, test_list=test) == {
        "a/1.png": "train",
        "a/2.png": "test",
        "b/3.png": "train",
        "b/4.png": "test",
    }


def test_what_is_in_no_list_is_left_out(folder: Path) -> None:
    found = splits(folder, train="1\n3", val="2")
    assert found == {"a/1.png": "train", "a/2.png": "val", "b/3.png": "train"}
    assert "b/4.png (no split in train.txt or val.txt)" in left(folder)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_list_of_one_split_is_not_used_and_said(folder: Path, name: str) -> None:
    assert set(splits(folder, **{name: "1\n3"}).values()) == {""}
    assert f"{name}.txt (a list of files that is not used" in left(folder)


@pytest.mark.parametrize("other", ["nobody\nknows\n", "", "1 a\n2 b\n", "\0"])
def test_other_texts_are_no_lists(folder: Path, other: str) -> None:
    assert set(splits(folder, train="1\n3", test=other).values()) == {""}


def test_most_lines_name_files(folder: Path) -> None:
    lines = "1\n" * 9
    for more, used in (("x\n", True), ("x\ny\n", False)):
        found = splits(folder, train=lines + more, test="2\n4")
        assert (found.get("a/1.png") == "train") is used


def test_lists_beside_a_table_of_classes(folder: Path) -> None:
    rows = "".join(f"{path},{'xy'[n % 2]}\n" for n, path in enumerate(PATHS))
    (folder / "labels.csv").write_text("file,label\n" + rows)
    assert splits(folder, train="1\n2", test="3\n4")["b/3.png"] == "test"


def test_tables_of_patients_by_split_name_some_of_the_files_each(folder: Path) -> None:
    (folder / "train.csv").write_text("file,patient\n1.png,p1\n3.png,p2\n")
    (folder / "test.csv").write_text("file,patient\n2.png,p3\n4.png,p4\n")
    assert splits(folder) == {
        "a/1.png": "train",
        "a/2.png": "test",
        "b/3.png": "train",
        "b/4.png": "test",
    }
