"""Warnings about sample size: classes without images in a split, and small sets.

They are said before training and wherever a result stands, since a number on three
images looks like one on three thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from medmodel.language import _, ngettext

if TYPE_CHECKING:
    import pandas as pd

SMALL_TEST = 30
"""Test images below which an accuracy is known to no better than about 17 points:
half the width of its 95 % interval (Wilson's) where the accuracy is one half."""
SMALL_CLASS = 10
"""Test images of a class below which no interval is given of what rests on them: in
simulations it would not hold the truth as often as it says."""
SMALL_DATASET = 50
"""Images in all below which there is too little to learn from and to judge by."""
_NAMED = 5

ClassCounts = Mapping[str, Mapping[str, int]]
"""Class -> split -> number of images; a split may be absent."""


def class_counts(split_table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images of every class in every split.

    Args:
        split_table: Columns `label` and `split`.
    """
    counts: dict[str, dict[str, int]] = {}
    images = Counter(zip(split_table["label"], split_table["split"], strict=True))
    for (label, split), count in sorted(images.items()):
        counts.setdefault(label, {})[split] = count
    return counts


def dataset_warnings(counts: ClassCounts) -> list[str]:
    """What a split data set is too small for, a sentence each, the worst first.

    Args:
        counts: Of all classes.
    """
    return [
        *_without_training(_in_split(counts, "train")),
        *_total_warnings(counts),
        *test_warnings(counts),
        *_validation_warnings(counts),
    ]


def training_warnings(counts: ClassCounts) -> list[str]:
    """The same without what is said of the test split."""
    return [
        *_without_training(_in_split(counts, "train")),
        *_total_warnings(counts),
        *_validation_warnings(counts),
    ]


def _total_warnings(counts: ClassCounts) -> list[str]:
    total = sum(sum(splits.values()) for splits in counts.values())
    if total >= SMALL_DATASET:
        return []
    return [
        ngettext(
            "{count:,} image in all: too few to learn from or to judge by, enough "
            "to try the program.",
            "{count:,} images in all: too few to learn from or to judge by, enough "
            "to try the program.",
            total,
        )
    ]


def test_warnings(counts: ClassCounts) -> list[str]:
    """What a test split is too small for, a sentence each, the worst first."""
    images = _in_split(counts, "test")
    total = sum(images.values())
    if not total:
        return [_("No test images: nothing can be measured.")]
    warnings: list[str] = []
    if total < SMALL_TEST:
        warnings.append(
            ngettext(
                "Only {count:,} test image: intervals are wide or missing, and a "
                "perfect result means little.",
                "Only {count:,} test images: intervals are wide or missing, and a "
                "perfect result means little.",
                total,
            )
        )
    warnings += _without_test(images)
    if single := _names(images, lambda count: count == 1):
        warnings.append(
            _(
                "One test image of {label}: sensitivity can only be 0 or 1 there.",
                label=single,
            )
        )
    if few := _names(images, lambda count: 1 < count < SMALL_CLASS):
        warnings.append(
            _(
                "Fewer than {least} test images of {classes}: one image more or less "
                "recognised moves the sensitivity there by 11 percentage points or "
                "more, and no interval is given.",
                least=SMALL_CLASS,
                classes=few,
            )
        )
    return warnings


def _validation_warnings(counts: ClassCounts) -> list[str]:
    images = _in_split(counts, "val")
    warnings: list[str] = []
    warnings += _without_validation(images)
    if single := _names(images, lambda count: count == 1):
        warnings.append(
            _(
                "One validation image of {label}: the best epoch, thresholds and "
                "calibration rest on it.",
                label=single,
            )
        )
    return warnings


def folder_warnings(counts: ClassCounts) -> list[str]:
    """Classes that a folder's own splits lack, before any file was opened.

    Args:
        counts: Files instead of images; a split that no class has is drawn later.
    """
    tested, validated = (_in_split(counts, split) for split in ("test", "val"))
    # What lies in no split is for training.
    rest, trained = _in_split(counts, ""), _in_split(counts, "train")
    return [
        *_without_training({name: trained[name] + rest[name] for name in counts}),
        *(_without_test(tested) if any(tested.values()) else []),
        *(_without_validation(validated) if any(validated.values()) else []),
    ]


def _without_test(images: Mapping[str, int]) -> list[str]:
    absent = _names(images, lambda count: count == 0)
    if not absent:
        return []
    return [
        _(
            "No test image of {classes}: sensitivity and AUC cannot be measured "
            "there, and are left out of the means.",
            classes=absent,
        )
    ]


def _without_training(images: Mapping[str, int]) -> list[str]:
    absent = _names(images, lambda count: count == 0)
    # Runs that were tested elsewhere know no training images at all.
    if not absent or not any(images.values()):
        return []
    return [
        _(
            "No training image of {classes}: every class needs some. Is each class "
            "spelled alike in all splits?",
            classes=absent,
        )
    ]


def _without_validation(images: Mapping[str, int]) -> list[str]:
    absent = _names(images, lambda count: count == 0)
    if not absent:
        return []
    return [
        _(
            "No validation image of {classes}: the best epoch, thresholds and "
            "calibration are chosen without any.",
            classes=absent,
        )
    ]


def _in_split(counts: ClassCounts, split: str) -> dict[str, int]:
    return {name: splits.get(split, 0) for name, splits in counts.items()}


def _names(images: Mapping[str, int], chosen: Callable[[int], bool]) -> str:
    """The classes with such a number of images as text, the first few by name."""
    names = [name for name, count in images.items() if chosen(count)]
    if len(names) <= _NAMED:
        return ", ".join(names)
    more = len(names) - _NAMED
    return ngettext(
        "{names} and {count:,} more class",
        "{names} and {count:,} more classes",
        more,
        names=", ".join(names[:_NAMED]),
    )
