"""Which labels are looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.errors import DataError, FileError
from medmodel.evaluation.review.review_order import REVIEW_SCORES, images_to_review
from medmodel.runs.run import Run
from tests.finished_run import write_finished_run

SCORES = """path,label,split,distance,score_dark,score_light
a,dark,train,1,0.9,0.1
b,dark,train,3,0.2,0.8
c,light,train,2,0.45,0.55
d,light,train,0.5,0.99,0.01
e,light,val,1,0.4,0.6
f,light,test,1,0.4,0.6
"""


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "a run")
    (run.folder / REVIEW_SCORES).write_text(SCORES)
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


def test_the_farthest_come_first(run: Run) -> None:
    rows = images_to_review(run, "train", "unlike")
    assert list(rows["path"]) == ["b", "c", "a", "d"]


@pytest.mark.parametrize(("split", "path"), [("val", "e"), ("test", "f")])
def test_splits_are_reviewed_apart(run: Run, split: str, path: str) -> None:
    assert list(images_to_review(run, split, "uncertain")["path"]) == [path]


def test_a_run_of_an_earlier_version_says_what_to_do(run: Run) -> None:
    (run.folder / REVIEW_SCORES).unlink()
    with pytest.raises(DataError, match="train the recipe Instant again"):
        images_to_review(run, "train", "disagrees")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "path,label\na,dark\n",
        SCORES.replace("0.9", "x"),
        SCORES.replace("train,3", "train,inf"),
        SCORES + "g,no,train,1,1,0\n",
    ],
)
def test_damaged_scores_are_named(run: Run, content: str) -> None:
    (run.folder / REVIEW_SCORES).write_text(content)
    with pytest.raises(FileError, match=REVIEW_SCORES):
        images_to_review(run, "train", "disagrees")
