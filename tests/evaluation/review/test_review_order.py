"""Which labels are looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.errors import DataError, FileError
from medmodel.evaluation.review.review_order import TRAINING_SCORES, images_to_review
from medmodel.runs.run import Run
from tests.finished_run import write_finished_run

SCORES = """path,label,score_dark,score_light
a,dark,0.9,0.1
b,dark,0.2,0.8
c,light,0.45,0.55
d,light,0.99,0.01
"""


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "a run")
    (run.folder / TRAINING_SCORES).write_text(SCORES)
    return run


def test_the_least_probable_label_comes_first(run: Run) -> None:
    rows = images_to_review(run, "train", "disagrees")
    assert list(rows["path"]) == ["d", "b", "c", "a"]


def test_the_closest_classes_come_first(run: Run) -> None:
    rows = images_to_review(run, "train", "uncertain")
    assert list(rows["path"]) == ["c", "b", "a", "d"]


def test_what_was_reviewed_does_not_come_back(run: Run) -> None:
    rows = images_to_review(run, "train", "disagrees", {"d", "c"})
    assert list(rows["path"]) == ["b", "a"]
    assert images_to_review(run, "train", "uncertain", "abcd").empty


@pytest.mark.parametrize("split", ["val", "test"])
def test_other_splits_are_those_of_the_predictions(run: Run, split: str) -> None:
    rows = images_to_review(run, split, "uncertain")
    assert list(rows) == ["path", "label", "score_dark", "score_light"]
    assert len(rows) == {"val": 8, "test": 16}[split]


def test_a_run_of_an_earlier_version_says_what_to_do(run: Run) -> None:
    (run.folder / TRAINING_SCORES).unlink()
    with pytest.raises(DataError, match="train the recipe Instant again"):
        images_to_review(run, "train", "disagrees")


@pytest.mark.parametrize(
    "content",
    ["", "path,label\na,dark\n", SCORES.replace("0.9", "x"), SCORES + "e,no,1,0\n"],
)
def test_damaged_scores_are_named(run: Run, content: str) -> None:
    (run.folder / TRAINING_SCORES).write_text(content)
    with pytest.raises(FileError, match=TRAINING_SCORES):
        images_to_review(run, "train", "disagrees")
