"""One class, however its name is written."""

from __future__ import annotations

import pytest

from medmodel.data.layouts.class_names import one_spelling
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
