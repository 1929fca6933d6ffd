"""One class, however its name is written."""

from __future__ import annotations

import pytest

from medmodel.data.layouts.class_names import label_key, one_spelling
from medmodel.data.layouts.listing import Ignored


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["True", "FALSE", "1", "0"], ["True", "FALSE", "True", "FALSE"]),
        (["yes", "No", "1.0", "0"], ["yes", "No", "yes", "No"]),
        (["0", "1", "1.0"], ["0", "1", "1"]),
        (["0", "1", "2", "yes"], ["0", "1", "2", "yes"]),
        (["t", "f", "y", "n"], ["t", "f", "y", "n"]),
        (["A", "a ", "b"], ["A", "A", "b"]),
    ],
)
def test_words_for_yes_and_no_are_two_classes(
    labels: list[str], classes: list[str]
) -> None:
    ignored: Ignored = []
    assert list(one_spelling(labels, ignored).values()) == classes
    changed = [
        label for label, name in zip(labels, classes, strict=True) if label != name
    ]
    assert [label for label, _reason in ignored] == changed


def test_why_they_are_one_is_said() -> None:
    ignored: Ignored = []
    one_spelling(["yes", "no", "YES", "1"], ignored)
    assert ignored == [
        ("YES", "counts as class 'yes', which looks alike"),
        ("1", "counts as class 'yes', which means the same"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B", "B "),
        ("DR", "dr"),
        ("a b", "a\u00a0 b"),
        ("a b", "a\u3000b"),
        ("L\u00e9sion", "Le\u0301sion"),
        ("A", "\uff21"),
        ("ab", "a\u200db"),
        ("ab", "a\u00adb"),
        ("Stra\u00dfe", "STRASSE"),
        ("0", "0.0"),
        ("-1", "-1.00"),
        ("1", "1."),
        ("1", "+1"),
        ("1", "1,0"),
        ("0", "-0"),
    ],
)
def test_labels_that_look_alike(one: str, other: str) -> None:
    assert label_key(one) == label_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("1", "10"), ("0", "0.5"), ("ab", "a b"), ("1", "01"), ("1", "-1")],
)
def test_labels_that_differ(one: str, other: str) -> None:
    assert label_key(one) != label_key(other)
