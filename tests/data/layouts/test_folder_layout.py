"""Folders by hand; drawn folders of every kind: test_odd_layouts."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.data import layout
from medmodel.data.layouts.left_out import left_out
from tests.data.test_layout import fill

PNG = b"\x89PNG\r\n\x1a\n"


def listed(folder: Path) -> tuple[set[tuple[str, str]], str]:
    """(class, split) of all files, and what was left out in words."""
    files, ignored = layout.list_files(folder)
    return {(file.label, file.split) for file in files}, left_out(ignored)


def with_classes(*folders: str) -> list[str]:
    return [f"{f}/{c}/{n}.png" for f, c, n in product(folders, "ab", "12")]


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        ("training_set test_set", "train test"),
        ("seg_train/seg_train seg_test/seg_test", "train test"),
        ("chest_train chest_test", "train test"),
        ("1_train 2_valid 3_test", "train val test"),
        ("\u8bad\u7ec3\u96c6 \u6d4b\u8bd5\u96c6", "train test"),
        ("train dev eval", "train val test"),
        ("d/x/TRAIN d/x/TEST", "train test"),
        ("images/train images/test", "train test"),
        ("train/images test/images", "train test"),
        ("train/chest test/chest", "train test"),
        ("data/images/tr data/images/te", "train test"),
        ("test", "test"),
    ],
)
def test_split_folders_in_all_spellings(
    tmp_path: Path, folders: str, splits: str
) -> None:
    fill(tmp_path, with_classes(*folders.split()))
    expected = set(product("ab", splits.split()))
    assert listed(tmp_path) == (expected, "")


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["train/1.png", "test/1.png"], "test, train are splits, but hold no f"),
        (["train/1.png", "test/1.png", "c/1.png"], "test, train are splits, but"),
        (["test/p1/1.png", "control/p1/1.png"], "folder test is called like a split"),
        (with_classes("train", "extra"), "train is called like a split, and extra"),
        (["a/p/1.png", "a/test/1.png", "b/p/1.png"], "test is called like .* and p be"),
        (with_classes("fold1", "fold2"), "fold1, fold2 are folds"),
        (["c_train/1.png", "c_test/1.png", "d_train/1.png"], "a class and a split at"),
        (with_classes("h/train", "h/test", "k/train", "k/test"), "h, k each hold"),
        (["a/p/train/1.png", "b/q/test/1.png"], "test, train lie too deep"),
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused(
    tmp_path: Path, paths: list[str], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        layout.list_files(fill(tmp_path, paths))


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["seg_pred/1.png"], "seg_pred/1.png (seg_pred is neither training, v"),
        (["holdout_b/a/1.png"], "holdout_b/a/1.png (holdout_b is neither"),
        (["overview.png"], "overview.png (not in a class folder)"),
        (["train/overview.png"], "train/overview.png (not in a class folder)"),
        (["masks/train/a/1.png"], "masks/train/a/1.png (masks is neither"),
        (["README", "test/a.txt", "a.pdf", "Thumbs.db", "train/a/.x.png"], ""),
        (["README", "test/.x.png", "x.png"], "hidden or no images: 2 files"),
    ],
)
def test_strays_beside_splits_change_nothing_and_are_said(
    tmp_path: Path, paths: list[str], left: str
) -> None:
    fill(tmp_path, [*with_classes("train", "test"), *paths])
    classes, words = listed(tmp_path)
    assert classes >= set(product("ab", ("train", "test")))
    assert left in words and bool(left) == bool(words)


def test_files_without_suffix_count_where_they_are_images(tmp_path: Path) -> None:
    for path in with_classes("train", "test"):
        target = tmp_path / path.removesuffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(PNG)
    fill(tmp_path, ["overview.png", "notes/README", "notes/about"])
    classes, words = listed(tmp_path)
    assert classes == set(product("ab", ("train", "test")))
    assert "overview.png (not in a class folder)" in words
    assert "notes/about (notes is neither" in words


def test_one_stray_image_does_not_outvote_the_folders(tmp_path: Path) -> None:
    fill(tmp_path, [*with_classes("d"), "d/overview.png", "x.png"])
    classes, words = listed(tmp_path)
    assert classes == {("a", ""), ("b", "")}
    assert words == (
        "Left out: d/overview.png (not in a class folder); "
        "x.png (outside d, which holds the data set)."
    )


def test_a_folder_of_samples_beside_the_data_set(tmp_path: Path) -> None:
    fill(tmp_path, [*with_classes("d/train", "d/test"), "samples/1.png"])
    classes, words = listed(tmp_path)
    assert classes == set(product("ab", ("train", "test")))
    assert words == "Left out: samples/1.png (outside d, which holds the data set)."


def test_unknown_folders_in_classes_never_train(tmp_path: Path) -> None:
    paths = ["a/train/1.png", "b/train/1.png", "a/holdout_b/1.png", "b/9.png"]
    classes, words = listed(fill(tmp_path, paths))
    assert classes == {("a", "train"), ("b", "train")}
    assert "a/holdout_b/1.png (holdout_b is neither" in words
    assert "b/9.png (not in train, val or test)" in words


def test_without_a_folder_for_training_the_others_are_for_training(
    tmp_path: Path,
) -> None:
    classes, _ = listed(fill(tmp_path, ["a/1.png", "a/test/2.png", "b/3.png"]))
    assert classes == {("a", ""), ("a", "test"), ("b", "")}


def test_masks_are_left_out_and_said(tmp_path: Path) -> None:
    paths = ["a/images/1.png", "a/masks/1.png", "b/images/1.png", "b/images/1_mask.png"]
    classes, words = listed(fill(tmp_path, paths))
    assert classes == {("a", ""), ("b", "")}
    assert words == (
        "Left out: 2 files, first a/masks/1.png (a mask or overlay beside its image)."
    )


def test_classes_that_look_alike_are_one_and_that_is_said(tmp_path: Path) -> None:
    classes, words = listed(fill(tmp_path, ["B/1.png", "B /1.png", "C/1.png"]))
    assert classes == {("B", ""), ("C", "")}
    assert words == "'B ' counts as class 'B', which looks alike."


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ("train/cat_train train/dog_train test/cat_test test/dog_test", "cat dog"),
        ("train/train-cat test/test-cat test/test-dog", "cat dog"),
        # Here the word is a part of what the class is.
        ("train/stress_test train/rest test/stress_test test/rest", "rest stress_test"),
        ("train/cat_train train/dog test/cat_test", "cat_test cat_train dog"),
    ],
)
def test_a_class_that_repeats_its_split_is_the_class_alone(
    tmp_path: Path, folders: str, expected: str
) -> None:
    for folder in folders.split():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.png").write_bytes(b"x")
    files = layout.list_files(tmp_path)[0]
    assert sorted({f.label for f in files}) == expected.split()
    assert {f.split for f in files} == {"train", "test"}


def test_only_the_commonest_reasons_are_named(tmp_path: Path) -> None:
    ignored = [(f"{n}.png", f"reason {n}") for n in range(5)] + [("9.png", "reason 4")]
    assert left_out(ignored) == (
        "Left out: 2 files, first 4.png (reason 4); 0.png (reason 0); "
        "1.png (reason 1); 2 files for other reasons."
    )
    assert left_out([]) == ""
