"""A reading goes image by image, each revealed once; its results by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.reader_study import draw_images
from medmodel.evaluation.clinical.reading_room import PhoneAnswer, ReadingRoom
from medmodel.evaluation.clinical.room_results import (
    MAJORITY,
    MODEL,
    READERS,
    answers_table,
    estimates_table,
    majority_shares,
    room_results,
)
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions, write_predictions
from tests.conftest import draw_class_folders
from tests.finished_run import decide_by_threshold, write_finished_run

READING = ReadingRoom("r", "run", ("a", "b"), ("dark", "light"))


def answer(reader: int, choice: int, confidence: int = 80) -> PhoneAnswer:
    return PhoneAnswer(reader, choice, confidence, 1.5)


def test_each_image_is_revealed_once_before_the_next() -> None:
    assert not READING.revealed and READING.reveal([answer(1, 0)]) == READING
    first = READING.turn_on()
    assert (first.number, first.path, first.revealed) == (1, "a", False)
    assert first.turn_on() == first
    revealed = first.reveal([answer(1, 0)])
    assert revealed.revealed and revealed.reveal([]) == revealed
    second = revealed.turn_on()
    assert (second.path, second.revealed, second.last) == ("b", False, True)
    assert second.turn_on() == second
    ended = second.reveal([]).turn_on()
    assert ended.ended and ended.answers == ((answer(1, 0),), ())
    assert second.end().ended and len(second.end().answers) == 1


def test_most_votes_win_and_confidence_parts_ties_alone() -> None:
    two = (answer(1, 0, 50), answer(2, 0, 50), answer(3, 1, 100))
    assert int(np.argmax(majority_shares(two, 2))) == 0
    tie = (answer(1, 0, 50), answer(2, 1, 51))
    assert int(np.argmax(majority_shares(tie, 2))) == 1
    assert int(np.argmax(majority_shares((answer(1, 2),), 3))) == 2
    assert int(np.argmax(majority_shares((answer(1, 1), answer(2, 0)), 2))) == 0
    assert majority_shares(tie, 2).sum() == pytest.approx(1)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "easy", images_per_class=30)
    return write_finished_run(folder, "A run", patients=25)


def read_by(run: Run, wrong: dict[int, set[int]], images: int = 20) -> ReadingRoom:
    """Readers who are right but for some images; -1 among them: not answered."""
    paths, classes = draw_images(run, images, seed=0)
    labels = read_predictions(run).set_index("path")["label"]
    reading = ReadingRoom("r", run.id, tuple(paths), tuple(classes))
    for at, path in enumerate(paths):
        right = classes.index(labels[path])
        answers = [
            answer(reader, 1 - right if at in images_wrong else right)
            for reader, images_wrong in wrong.items()
            if -at - 1 not in images_wrong
        ]
        reading = reading.turn_on().reveal(answers)
    return reading.turn_on()


def test_results_by_hand(run: Run) -> None:
    reading = read_by(run, {1: {0, 1}, 2: {0}, 3: {0, 2}, 4: {-4}})
    assert reading.ended
    results = room_results(run, reading)
    assert (results.images, results.readers, results.partial) == (20, 3, 1)
    readers, majority, model = (
        results.estimate(name, "accuracy", None) for name in (READERS, MAJORITY, MODEL)
    )
    assert readers.value == pytest.approx(1 - 5 / 60)
    # All three are wrong of the first image; of the others most are right.
    assert majority.value == pytest.approx(19 / 20)
    assert readers.has_interval and readers.low < readers.value < readers.high
    pairs = results.differences()
    assert [(pair.first, pair.second) for pair in pairs] == [
        (READERS, MODEL),
        (MAJORITY, MODEL),
    ]
    assert pairs[0].estimate.value == pytest.approx(readers.value - model.value)
    assert pairs[1].estimate.value == pytest.approx(majority.value - model.value)
    positive = results.estimate(READERS, "sensitivity", 1)
    negative = results.estimate(READERS, "specificity", 1)
    assert (10 * positive.value + 10 * negative.value) / 20 == pytest.approx(
        readers.value
    )
    table = estimates_table(results, 1)
    assert list(table.columns) == ["Metric", "Readers, mean", "Majority", "Model"]
    assert table.iloc[3, 1] == "–" and table.iloc[0, 1] == str(readers)
    assert estimates_table(results, None).iloc[1, 1] == "–"


def test_answers_as_a_table_have_no_names(run: Run) -> None:
    reading = read_by(run, {1: {0}, 2: {-1}}, images=4)
    table = answers_table(run, reading)
    assert list(table.columns) == [
        *("image", "path", "true_class", "model_class", "model_score"),
        *("model_tied", "reader", "class", "confidence", "seconds"),
    ]
    assert len(table) == 7 and list(table["image"]) == [1, 2, 2, 3, 3, 4, 4]
    assert table["class"].iloc[0] != table["true_class"].iloc[0]
    assert (table["class"] == table["true_class"]).sum() == 6
    assert not table["model_tied"].any()


def test_a_tie_of_the_model_stands_in_the_table_unless_a_threshold_decides(
    run: Run,
) -> None:
    reading = read_by(run, {1: {0}}, images=2)
    table, classes = read_predictions(run), list(reading.classes)
    samples = table.drop(columns=[f"score_{name}" for name in classes])
    write_predictions(run, classes, samples, np.full((len(table), 2), 0.5))
    assert answers_table(run, reading)["model_tied"].all()
    decided = ["light"] * len(table)
    write_predictions(run, classes, samples, np.full((len(table), 2), 0.5), decided)
    assert not answers_table(run, reading)["model_tied"].any()


def test_what_nobody_answered_is_left_out(run: Run) -> None:
    reading = read_by(run, {1: {-1}}, images=12)
    results = room_results(run, reading)
    assert (results.images, results.unanswered, results.readers) == (11, 1, 1)
    # One reader is the majority: there is one pair.
    assert [pair.first for pair in results.differences()] == [MAJORITY]
    silent = read_by(run, {1: {-1, -2}}, images=2)
    with pytest.raises(DataError, match="Nobody answered"):
        room_results(run, silent)


def test_few_images_have_no_interval(run: Run) -> None:
    results = room_results(run, read_by(run, {1: {0}, 2: {1}}, images=6))
    estimate = results.estimate(READERS, "accuracy", None)
    assert estimate.too_few is not None and not estimate.has_interval
    assert "too few" in str(results.differences()[0])


def test_readers_who_differ_from_the_model_alike_are_the_majority(run: Run) -> None:
    reading = read_by(run, {1: set(), 2: set()})
    table = read_predictions(run)
    columns = [f"score_{name}" for name in reading.classes]
    right = np.eye(2)[[reading.classes.index(label) for label in table["label"]]]
    samples = table.drop(columns=columns)
    write_predictions(run, list(reading.classes), samples, 0.1 + 0.8 * right)
    (pair,) = room_results(run, reading).differences()
    assert (pair.first, pair.estimate.value) == (MAJORITY, 0)


def test_a_room_is_not_judged_by_the_models_threshold(run: Run) -> None:
    decide_by_threshold(run, "dark", 0.999)
    reading = read_by(run, {1: {0}, 2: {0}, 3: {0}})
    results = room_results(run, reading)
    assert results.estimate(MAJORITY, "accuracy", None).value == 19 / 20
    table = answers_table(run, reading)
    called = table["model_class"] == "dark"
    scores = read_predictions(run).set_index("path")["score_dark"]
    expected = scores.loc[table["path"]].to_numpy() >= 0.999
    assert (called.to_numpy() == expected).all()
