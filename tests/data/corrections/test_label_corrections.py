"""Reviewed labels beside a data set: kept, taken back, damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.data.corrections.label_corrections import (
    FILE,
    Correction,
    correct,
    corrected_labels,
    corrections,
    undo,
)

A = Correction("a.png", "ill", "well")
B = Correction("b.png", "ill", "ill")


def test_an_image_has_one_answer_the_last(tmp_path: Path) -> None:
    place = tmp_path / "index"
    assert corrections(place) == []
    again = Correction("a.png", "ill", "ill")
    for answer in (A, B, again):
        correct(place, answer)
    assert corrections(place) == [B, again]
    assert (A.changes, B.changes) == (True, False)


def test_answers_are_taken_back_last_first_or_by_name(tmp_path: Path) -> None:
    for answer in (A, B):
        correct(tmp_path, answer)
    assert undo(tmp_path, A.id) == A
    assert undo(tmp_path) == B
    assert undo(tmp_path) is None and corrections(tmp_path) == []
    assert undo(tmp_path, "nobody") is None


@pytest.mark.parametrize("content", ["", "[]", '{"all": [{"path": 1}]}', "\x00"])
def test_a_damaged_list_is_named_and_not_overwritten(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / FILE).write_text(content)
    for ask in (lambda: corrections(tmp_path), lambda: correct(tmp_path, A)):
        with pytest.raises(DataError, match=r"corrections\.json is damaged"):
            ask()
    assert (tmp_path / FILE).read_text() == content


def test_a_correction_holds_while_the_data_set_says_the_same() -> None:
    answers = [
        A,
        B,
        Correction("c.png", "ill", "unheard of"),
        Correction("x", "a", "b"),
    ]
    labels = {"a.png": "ill", "b.png": "ill", "c.png": "ill", "d.png": "well"}
    changed = corrected_labels(labels, answers, ["ill", "well"])
    assert changed == {**labels, "a.png": "well"}
    relabelled = {**labels, "a.png": "other"}
    assert corrected_labels(relabelled, answers, ["ill", "well"]) == relabelled
