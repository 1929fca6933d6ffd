from __future__ import annotations

import pandas as pd
import pytest

from medmodel.data import sample_size
from medmodel.data.sample_size import (
    class_counts,
    dataset_warnings,
    folder_warnings,
)
from medmodel.evaluation.intervals.minima import MINIMA

Counts = dict[str, dict[str, int]]
LARGE: Counts = {
    "a": {"train": 40, "val": 5, "test": 20},
    "b": {"train": 9, "val": 2, "test": 10},
}


def of_class_b(**images: int) -> list[str]:
    return dataset_warnings({**LARGE, "b": LARGE["b"] | images})


def test_counts_by_class_and_split() -> None:
    rows = [("b", "train"), ("a", "test"), ("b", "train"), ("b", "val")]
    table = pd.DataFrame(rows, columns=["label", "split"])
    assert class_counts(table) == {"a": {"test": 1}, "b": {"train": 2, "val": 1}}
    assert list(class_counts(table)) == ["a", "b"]


def test_enough_images_need_no_word() -> None:
    assert dataset_warnings(LARGE) == []
    assert of_class_b(test=10, val=2) == []


def test_a_data_set_under_fifty_images() -> None:
    fifty = {"a": {"train": 8, "val": 2, "test": 20}, "b": {"train": 8, "val": 2}}
    assert dataset_warnings({**fifty, "b": {"train": 8, "val": 2, "test": 10}}) == []
    (few,) = dataset_warnings({**fifty, "b": {"train": 7, "val": 2, "test": 10}})
    assert few.startswith("49 images in all: too few")
    single = dataset_warnings({"a": {"train": 1, "val": 0, "test": 0}})
    assert single[0].startswith("1 image in all:")


def test_a_test_split_under_thirty_images() -> None:
    few, class_b = of_class_b(test=9)
    assert few.startswith("Only 29 test images:")
    assert class_b.startswith("Fewer than 10 test images of b: one image more")
    one = sample_size.test_warnings({"a": {"test": 1}})
    assert one[0].startswith("Only 1 test image:")


def test_classes_without_test_images() -> None:
    counts = {**LARGE, "a": LARGE["a"] | {"test": 40}, "b": LARGE["b"] | {"test": 0}}
    (absent,) = dataset_warnings(counts)
    assert absent.startswith("No test image of b:")
    (single,) = dataset_warnings({**counts, "b": LARGE["b"] | {"test": 1}})
    assert single == "One test image of b: sensitivity can only be 0 or 1 there."


@pytest.mark.parametrize(("images", "said"), [(1, 0), (2, 1), (9, 1), (10, 0)])
def test_classes_with_two_to_nine_test_images(images: int, said: int) -> None:
    counts = {"a": {"test": 40}, "b": {"test": images}, "c": {"test": images}}
    few = [w for w in sample_size.test_warnings(counts) if w.startswith("Fewer")]
    assert len(few) == said
    assert all(w.startswith("Fewer than 10 test images of b, c: ") for w in few)


def test_no_interval_is_given_of_a_small_class() -> None:
    """The sentence holds of every interval that rests on one class."""
    minima = [MINIMA[key] for key in ("sensitivity", "auc", "f1", "ppv")]
    assert {m.images for m in minima} | {m.patients for m in minima} == {
        sample_size.SMALL_CLASS
    }


def test_training_is_judged_without_the_test() -> None:
    small: Counts = {
        "a": {"train": 8, "val": 2, "test": 3},
        "b": {"train": 8, "val": 0, "test": 0},
    }
    total, validation = sample_size.training_warnings(small)
    assert total.startswith("21 images in all")
    assert validation.startswith("No validation image of b:")
    assert {total, validation} < set(dataset_warnings(small))


def test_no_test_images_at_all() -> None:
    assert sample_size.test_warnings({"a": {"train": 99}, "b": {"train": 99}}) == [
        "No test images: nothing can be measured."
    ]


@pytest.mark.parametrize(("images", "start"), [(0, "No"), (1, "One")])
def test_classes_without_validation_images(images: int, start: str) -> None:
    (warning,) = of_class_b(val=images)
    assert warning.startswith(f"{start} validation image of b:")


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        (5, "c0, c1, c2, c3, c4:"),
        (6, "c0, c1, c2, c3, c4 and 1 more class:"),
        (7, "c0, c1, c2, c3, c4 and 2 more classes:"),
    ],
)
def test_the_first_few_classes_are_named(classes: int, named: str) -> None:
    counts: Counts = {f"c{n}": {"test": 0} for n in range(classes)}
    (absent,) = sample_size.test_warnings({"large": {"test": 30}, **counts})
    assert absent.startswith(f"No test image of {named}")


def test_what_a_folder_lacks_is_known_from_its_files() -> None:
    counts = {"a": {"train": 3, "test": 1}, "b": {"train": 2, "val": 1}}
    tested, validated = folder_warnings(counts)
    assert tested.startswith("No test image of b:")
    assert validated.startswith("No validation image of a:")
    # A split that the folder does not bring is drawn when training.
    assert folder_warnings({"a": {"train": 3}, "b": {"": 2}}) == []
    (untrained,) = folder_warnings({"a": {"train": 3, "test": 1}, "b": {"test": 2}})
    assert untrained == (
        "No training image of b: every class needs some. Is each class spelled alike "
        "in all splits?"
    )
