from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from medmodel.data import layout
from medmodel.data.layouts import listing
from medmodel.data.layouts.left_out import left_out


def fill(folder: Path, paths: list[str]) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return folder


def places(folder: Path) -> dict[str, tuple[str, str]]:
    return {f.path: (f.label, f.split) for f in layout.list_files(folder)[0]}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/1.png", "b/1.png"], [("a", ""), ("b", "")]),
        (["train/a/1.png", "test/b/1.png"], [("b", "test"), ("a", "train")]),
        (
            ["Training/a/1.png", "VALIDATION/a/1.png", "Testing/b/1.png"],
            [("b", "test"), ("a", "train"), ("a", "val")],
        ),
        (
            ["data/train/a/1.png", "data/val/b/1.png"],
            [("a", "train"), ("b", "val")],
        ),
        (
            ["x/y/train/a/1.png", "x/y/valid/b/1.png"],
            [("a", "train"), ("b", "val")],
        ),
        (["cells/a/1.png", "cells/b/1.png"], [("a", ""), ("b", "")]),
        (["a/train/1.png", "b/test/1.png"], [("a", "train"), ("b", "test")]),
        (["a/p1/deep/1.png", "b/p2/1.png"], [("a", ""), ("b", "")]),
        (["train/a/p1/1.png", "train/b/p2/s/1.png"], [("a", "train"), ("b", "train")]),
        (["test/1.png", "control/1.png"], [("control", ""), ("test", "")]),
        (["a/1.png", "b/1.png", "docs.txt"], [("a", ""), ("b", "")]),
    ],
)
def test_folders_tell_class_and_split(
    tmp_path: Path, paths: list[str], expected: list[tuple[str, str]]
) -> None:
    found = places(fill(tmp_path, paths))
    assert sorted(found.values()) == sorted(expected)


def test_only_class_is_not_taken_for_a_folder_around(tmp_path: Path) -> None:
    found = places(fill(tmp_path, ["a/1.png", "a/2.png"]))
    assert set(found.values()) == {("a", "")}


def test_beside_splits_other_folders_are_left_out(tmp_path: Path) -> None:
    beside = ["extra/1.png", "extra/cat/1.png", "test/1.png"]
    fill(tmp_path, ["train/a/1.png", "train/b/1.png", *beside])
    files, ignored = layout.list_files(tmp_path)
    assert {f.label for f in files} == {"a", "b"}
    unknown = "extra is neither training, validation nor test"
    assert ignored == [
        ("extra/1.png", unknown),
        ("extra/cat/1.png", unknown),
        ("test/1.png", "not in a class folder"),
    ]
    assert left_out(ignored) == (
        f"Left out: 2 files, first extra/1.png ({unknown}); "
        "test/1.png (not in a class folder)."
    )


def test_hidden_things_and_empty_folders_are_listed(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png", "a/.DS_Store", ".ipynb_checkpoints/1.png"])
    (tmp_path / "c").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    _, ignored = layout.list_files(tmp_path)
    assert dict(ignored) == {
        "a/.DS_Store": "hidden",
        ".ipynb_checkpoints/": "hidden",
        "__MACOSX/": "hidden",
        "c/": "folder without files of a class",
    }


def test_capitals_and_unicode_composition_make_no_new_class(tmp_path: Path) -> None:
    paths = ["train/Lésion/1.png", "test/LE\u0301SION/1.png", "train/weiß <b>/1.png"]
    labels = {label for label, _ in places(fill(tmp_path, paths)).values()}
    assert len(labels) == 2
    assert "weiß <b>" in labels


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png"])
    try:
        (tmp_path / "a" / "bad\udcff.png").write_bytes(b"x")
    except OSError:
        pytest.skip("needs a disk that takes names which are no UTF-8")
    found, ignored = layout.list_files(tmp_path)
    assert len(found) == 2
    assert [reason for _, reason in ignored] == ["its name is not valid text"]


def test_what_cannot_be_looked_at_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png", "b/leaves.png"])
    (tmp_path / "a" / "self").symlink_to("self")
    look = listing._reason_to_ignore

    def looked(entry: os.DirEntry[str], *others: Any) -> str:
        reason = look(entry, *others)
        if entry.name == "leaves.png":
            Path(entry.path).unlink()
        return reason

    monkeypatch.setattr(listing, "_reason_to_ignore", looked)
    found, ignored = layout.list_files(tmp_path)
    assert sorted(f.path for f in found) == ["a/1.png", "b/1.png"]
    assert dict(ignored) == {
        "a/self": "a link to nothing",
        "b/leaves.png": "No such file or directory",
    }


def test_links_are_followed_only_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = fill(tmp_path / "secret", ["1.png"])
    data = fill(tmp_path / "data", ["set/a/1.png", "other/2.png"])
    monkeypatch.setenv("MEDMODEL_DATA", str(data))
    (data / "set" / "b").symlink_to(data / "other")
    (data / "set" / "c").symlink_to(secret)
    (data / "set" / "d").symlink_to(data / "gone")
    (data / "set" / "a" / "loop").symlink_to(data / "set")
    (data / "set" / "a" / "stolen.png").symlink_to(secret / "1.png")
    found, ignored = layout.list_files(data / "set")
    assert sorted(f.path for f in found) == ["a/1.png", "b/2.png"]
    reasons = {path.rstrip("/"): reason for path, reason in ignored}
    assert reasons == {
        "a/loop": "a link to a folder that is already in",
        "a/stolen.png": "a link to a place outside the data folders",
        "c": "a link to a place outside the data folders",
        "d": "a link to nothing",
    }
