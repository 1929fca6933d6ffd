"""What a person chose is kept, and every reader of the data set uses it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.data import datasets, layout
from medmodel.data.folders import index_folder
from medmodel.data.layouts import description
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    FolderReading,
    LayoutChoice,
    TableReading,
    load_choice,
    save_choice,
)
from tests.conftest import draw_class_folders
from tests.data.test_layout import fill, places

SITES = [f"{site}/{label}/1.png" for site, label in product(("one", "two"), "ab")]
BY_SITE = FolderReading((), 1, 0, {"one": "train", "two": "test"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    return folder


def test_what_was_chosen_is_kept_beside_the_index(folder: Path) -> None:
    assert load_choice(folder) == LayoutChoice()
    table = TableReading("image", "grade", "id", "part", {"x": "train", "y": ""})
    choice = LayoutChoice(BY_SITE, {"labels.csv": table})
    save_choice(folder, choice)
    assert load_choice(folder) == choice
    assert (index_folder(folder) / "layout.json").exists()
    assert list(folder.iterdir()) == []
    save_choice(folder, LayoutChoice())
    assert not (index_folder(folder) / "layout.json").exists()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"folders": {"splits": {"one": "exam"}}}', '{"tables": 3}'],
)
def test_a_damaged_choice_is_one_sentence(folder: Path, content: str) -> None:
    save_choice(folder, LayoutChoice(BY_SITE))
    (index_folder(folder) / "layout.json").write_text(content)
    with pytest.raises(DataError, match=r"layout of this data set cannot be read"):
        layout.list_files(folder)


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (BY_SITE, {("a", "train"), ("a", "test"), ("b", "train"), ("b", "test")}),
        (
            FolderReading((), 1, 0, {"one": "val", "two": ""}),
            {("a", "val"), ("b", "val")},
        ),
        (FolderReading((), 1), {("a", ""), ("b", "")}),
        (FolderReading(()), {("one", ""), ("two", "")}),
        (FolderReading(("two",)), {("a", ""), ("b", "")}),
    ],
)
def test_folders_are_read_as_chosen(
    folder: Path, reading: FolderReading, expected: set[tuple[str, str]]
) -> None:
    fill(folder, SITES)
    with pytest.raises(AmbiguousLayoutError, match="either may be the classes"):
        layout.list_files(folder)
    save_choice(folder, LayoutChoice(reading))
    assert set(places(folder).values()) == expected


def test_a_folder_that_came_later_does_not_train(folder: Path) -> None:
    fill(folder, [*SITES, "three/a/1.png"])
    save_choice(folder, LayoutChoice(BY_SITE))
    files, ignored = layout.list_files(folder)
    assert len(files) == 4
    reason = "three is neither training, validation nor test"
    assert ignored == [("three/a/1.png", reason)]


def test_names_of_class_and_split_at_once(folder: Path) -> None:
    fill(folder, ["cat_train/1.png", "cat_test/1.png", "dog_train/1.png"])
    splits = FolderReading(
        (), 0, 0, {"cat_train": "train", "cat_test": "test", "dog_train": "train"}
    )
    save_choice(folder, LayoutChoice(splits))
    assert set(places(folder).values()) == {
        ("cat", "train"),
        ("cat", "test"),
        ("dog", "train"),
    }


def test_another_choice_is_another_data_set(folder: Path) -> None:
    for site in ("one", "two"):
        draw_class_folders(folder / site, ("a", "b"))
    datasets.choose_layout(folder, LayoutChoice(BY_SITE))
    first = datasets.index_dataset(folder)
    assert first.classes == ["a", "b"]
    assert "one (training)" in datasets.layout_sentences(folder)[0]
    datasets.choose_layout(folder, LayoutChoice(FolderReading()))
    assert datasets.load_index(folder) is None
    assert datasets.layout_sentences(folder) == []
    second = datasets.index_dataset(folder)
    assert second.classes == ["one", "two"]
    assert second.fingerprint != first.fingerprint


def test_a_choice_during_a_check_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_class_folders(folder / "one", ("a", "b"))
    draw_class_folders(folder / "two", ("a", "b"))
    save_choice(folder, LayoutChoice(FolderReading()))
    read = layout.read_layout

    def read_and_choose(place: Path) -> layout.Layout:
        before = read(place)
        save_choice(place, LayoutChoice(BY_SITE))
        return before

    monkeypatch.setattr(layout, "read_layout", read_and_choose)
    assert datasets.index_dataset(folder).classes == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "none"),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (list("abcdef"), "a, b, c, d, e, f"),
        (list("abcdefg"), "a, b, c, d, e and 2 more"),
    ],
)
def test_words_of_a_sentence(words: list[str], sentence: str) -> None:
    assert description.listed(words) == sentence
