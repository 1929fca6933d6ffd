"""The images of a batch: of a folder, or those that a table names."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.batch.images import (
    BatchImage,
    list_images,
    tables_of,
    told_findings,
)
from medmodel.core.errors import DataError
from tests.findings_folder import FINDINGS, draw_findings_folder

CLASSES = ["dark", "light"]


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_of_a_folder_all_that_may_be_images(tmp_path: Path) -> None:
    folder = touched(
        tmp_path,
        *("light/b.png", "dark/inner/a.png", "c", "d.dcm"),
        *("labels.csv", "README", ".hidden.png", "e.zip"),
    )
    assert list_images(folder, CLASSES) == [
        BatchImage("c"),
        BatchImage("d.dcm"),
        BatchImage("dark/inner/a.png", "dark"),
        BatchImage("light/b.png", "light"),
    ]


def test_the_innermost_folder_called_like_a_class_counts(tmp_path: Path) -> None:
    touched(tmp_path, "dark/light/a.png", "Light/b.png")
    assert [image.label for image in list_images(tmp_path, CLASSES)] == ["", "light"]


def test_a_file_really_called_like_a_slice_keeps_its_name(tmp_path: Path) -> None:
    touched(tmp_path, "a.png#frame=2")
    assert [i.path for i in list_images(tmp_path, [])] == ["a.png#frame=2#whole"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "notes.txt")
    with pytest.raises(DataError, match="holds no image"):
        list_images(tmp_path, CLASSES)


def test_a_table_says_order_and_labels(tmp_path: Path) -> None:
    touched(tmp_path, "in/a.png", "in/b.png", "in/c.png", "dark/d.png")
    lines = ("file,label,split", "b.png,dark,odd", "a,unknown,odd", "gone.png,light,")
    text = "\n".join((*lines, "b.png,light,", "d.png,,"))
    (tmp_path / "list.csv").write_text(text)
    assert list_images(tmp_path, CLASSES, "list.csv") == [
        BatchImage("in/b.png", "dark"),
        BatchImage("in/a.png"),
        BatchImage("gone.png", "light", "named in list.csv, but not there"),
        BatchImage("dark/d.png", "dark"),
    ]


@pytest.mark.parametrize("header", ["file", "Image ID;comment", "path\tage"])
def test_a_table_with_nothing_but_files_will_do(tmp_path: Path, header: str) -> None:
    touched(tmp_path, "a.png", "b.png")
    rest = ";x" if ";" in header else "\t3" if "\t" in header else ""
    (tmp_path / "list.csv").write_text(f"{header}\nb.png{rest}\n")
    assert tables_of(tmp_path) == ["list.csv"]
    assert [i.path for i in list_images(tmp_path, [], "list.csv")] == ["b.png"]


def test_what_is_no_table_of_files_is_not_offered(tmp_path: Path) -> None:
    touched(tmp_path, "a.png", "binary.csv", "README.txt")
    (tmp_path / "other.csv").write_text("age,sex\n3,f\n")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    assert tables_of(tmp_path) == []
    for name, words in (("other.csv", "column of files"), ("gone.csv", "opened")):
        with pytest.raises(DataError, match=words):
            list_images(tmp_path, CLASSES, name)


def test_a_table_that_names_no_file_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "a.png")
    (tmp_path / "list.csv").write_text("file,label\n")
    with pytest.raises(DataError, match=r"list.csv names no file"):
        list_images(tmp_path, CLASSES, "list.csv")


def test_what_a_table_names_is_tried_whatever_it_is_called(tmp_path: Path) -> None:
    """Its line then says why it is no image, not that it is not there."""
    touched(tmp_path, "a.png", "DICOMDIR", "notes.txt", "images/b.png", "masks/b.png")
    names = ("DICOMDIR", "notes.txt", "masks/b.png", "a.png", "gone.png")
    (tmp_path / "list.csv").write_text("\n".join(("file", *names)))
    images = list_images(tmp_path, CLASSES, "list.csv")
    assert [image.path for image in images] == list(names)
    assert [bool(image.problem) for image in images] == [False] * 4 + [True]


def test_a_folder_says_which_findings_its_images_have(tmp_path: Path) -> None:
    folder = draw_findings_folder(tmp_path / "set", images=8)
    images = list_images(folder, [])
    told = told_findings(images, folder, FINDINGS)
    assert [image.label for image in told] == [
        *("No finding", "No finding", "bright", "bright"),
        *("striped", "striped", "bright|striped", "bright|striped"),
    ]
    assert [image.path for image in told] == [image.path for image in images]
    # Of a finding that the folder does not name, nothing is known.
    assert told_findings(images, folder, [*FINDINGS, "round"]) == images


def test_folders_of_classes_say_nothing_of_findings(tmp_path: Path) -> None:
    touched(tmp_path, "bright/a.png", "striped/b.png")
    images = list_images(tmp_path, [])
    assert told_findings(images, tmp_path, FINDINGS) == images
