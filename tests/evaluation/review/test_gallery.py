"""Images with what the model said: sorted, filtered, marked."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.evaluation.review.gallery import (
    ImageFilter,
    doubtful_labels,
    image_table,
    mark_label,
    select_images,
)
from medmodel.runs.run_store import RunStore


@pytest.fixture
def rows() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "path": ["a/1.png", "a/2.png", "b/3.png", "b/4.png"],
            "patient": ["Ann", "", "Bob", "Bob"],
            "split": ["test", "test", "val", "test"],
            "label": ["a", "a", "b", "b"],
            "score_a": [0.9, 0.3, 0.5, 0.45],
            "score_b": [0.1, 0.7, 0.5, 0.55],
        }
    )
    return image_table(table, split_predictions(table, "test"))


def test_what_the_model_said_of_each(rows: pd.DataFrame) -> None:
    assert list(rows["path"]) == ["a/1.png", "a/2.png", "b/4.png"]
    assert list(rows["choice"]) == ["a", "b", "b"]
    assert np.allclose(rows["score"], [0.9, 0.7, 0.55])
    assert np.allclose(rows["label_score"], [0.9, 0.3, 0.55])
    assert np.allclose(rows["margin"], [0.8, 0.4, 0.1])
    assert list(rows["position"]) == list(rows.index) == [0, 1, 2]
    assert list(rows)[:4] == ["path", "patient", "label", "choice"]
    further = {"score", "label_score", "margin", "tied", "position"}
    assert set(list(rows)[4:]) == further and not rows["tied"].any()


def test_equal_scores_are_a_tie_unless_a_threshold_decides() -> None:
    table = pd.DataFrame(
        {"path": ["1", "2"], "patient": "", "split": "test", "label": ["a", "b"]}
    )
    scores = np.array([[0.5, 0.5], [0.2, 0.8]])
    data = Predictions(["a", "b"], np.array([0, 1]), scores, None)
    assert list(image_table(table, data)["tied"]) == [True, False]
    decided = replace(data, choices=np.array([1, 1]))
    assert not image_table(table, decided)["tied"].any()


def test_scores_of_one_class_from_above_the_lower_end_to_the_upper() -> None:
    scores = np.array([[1.0, 0.0], [0.7, 0.3], [0.4, 0.6]])
    data = Predictions(["a", "b"], np.array([0, 0, 1]), scores, None)
    table = pd.DataFrame(
        {"path": ["1", "2", "3"], "patient": "", "split": "test", "label": list("aab")}
    )
    rows = image_table(table, data)

    def selected(**wanted: float) -> list[str]:
        images = select_images(rows, ImageFilter(of="b", **wanted), data=data)  # type: ignore[arg-type]
        return sorted(images["path"])

    assert selected() == selected(high=0.6) == ["1", "2", "3"]
    assert selected(low=0.3) == ["3"] and selected(low=0.29) == ["2", "3"]
    assert selected(high=0.3) == ["1", "2"] and selected(high=0.0) == ["1"]
    for name, given in (("c", data), ("b", None)):
        with pytest.raises(DataError, match=f"no scores for a class '{name}'"):
            select_images(rows, ImageFilter(of=name), data=given)


def test_orders(rows: pd.DataFrame) -> None:
    assert list(select_images(rows, ImageFilter())["path"]) == [
        "a/2.png",
        "b/4.png",
        "a/1.png",
    ]
    assert select_images(rows, ImageFilter(), "uncertain")["path"].iloc[0] == "b/4.png"
    assert select_images(rows, ImageFilter(), "surest")["path"].iloc[0] == "a/1.png"
    with pytest.raises(DataError, match="sorted"):
        select_images(rows, ImageFilter(), "beautiful")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (ImageFilter(label="a", choice="b"), ["a/2.png"]),
        (ImageFilter(wrong=True), ["a/2.png"]),
        (ImageFilter(low=0.6, high=0.8), ["a/2.png"]),
        (ImageFilter(group=Subgroup("BOB")), ["b/4.png"]),
        (ImageFilter(group=Subgroup(" 1.png ")), ["a/1.png"]),
        (ImageFilter(but="a"), ["b/4.png"]),
        (ImageFilter(low=0.55, high=0.7), ["a/2.png"]),
        (ImageFilter(label="b", choice="a"), []),
    ],
)
def test_filters(rows: pd.DataFrame, wanted: ImageFilter, paths: list[str]) -> None:
    assert list(select_images(rows, wanted)["path"]) == paths


def test_doubtful_labels_are_kept_with_the_run() -> None:
    run = RunStore().create(TrainConfig("/data/x"))
    assert doubtful_labels(run) == []
    mark_label(run, "b/2.png", True)
    mark_label(run, "a/1.png", True)
    mark_label(run, "a/1.png", True)
    assert doubtful_labels(run) == ["a/1.png", "b/2.png"]
    mark_label(run, "b/2.png", False)
    assert doubtful_labels(run) == ["a/1.png"]


def test_marks_of_several_people_are_all_kept() -> None:
    run = RunStore().create(TrainConfig("/data/x"))
    with ThreadPoolExecutor(8) as people:
        list(people.map(lambda n: mark_label(run, f"{n:02}", True), range(16)))
    assert doubtful_labels(run) == [f"{n:02}" for n in range(16)]
