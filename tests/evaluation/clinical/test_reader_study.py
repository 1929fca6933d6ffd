"""A reader study on the disk: order, commitment, going on, damage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from medmodel.core.errors import DataError, FileError, RunError
from medmodel.evaluation.clinical.reader_study import (
    Answer,
    ReaderStudy,
    begin_study,
    delete_study,
    load_study,
    read_aided,
    read_alone,
    studies,
)
from medmodel.runs.copies import write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.finished_run import write_finished_run


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "read", patients=6)


def file_of(run: Run, study: ReaderStudy) -> Path:
    return run.folder / "readings" / f"{study.id}.json"


def test_as_many_of_each_class_and_test_images_alone(run: Run) -> None:
    table = read_predictions(run).set_index("path")
    study = begin_study(run, 10, seed=1)
    rows = table.loc[study.paths]
    assert set(rows["split"]) == {"test"} and len(set(study.paths)) == 10
    assert Counter(rows["label"]) == {"dark": 5, "light": 5}
    assert study.paths != sorted(study.paths)
    assert begin_study(run, 10, seed=1).paths == study.paths
    assert begin_study(run, 10, seed=2).paths != study.paths
    everything = begin_study(run, 999).paths
    assert sorted(everything) == sorted(table.index[table["split"] == "test"])


def test_copies_of_training_images_are_not_read(run: Run) -> None:
    first = begin_study(run, 999, seed=1)
    write_near_copies(run, set(first.paths[:3]))
    rest = begin_study(run, 999, seed=1)
    assert not set(rest.paths) & set(first.paths[:3])
    write_near_copies(run, set(first.paths[:-1]))
    with pytest.raises(DataError, match="needs 2 test images"):
        begin_study(run, 999)


def test_alone_first_then_aided_and_no_way_back(run: Run) -> None:
    study = begin_study(run, 2, seed=1)
    assert (study.current, study.waits_for_aided) == (study.paths[0], False)
    with pytest.raises(DataError, match="without the model first"):
        read_aided(run, study, Answer("dark", 80, 1.0))
    study = read_alone(run, study, Answer("dark", 80, 3.5))
    assert (study.current, study.waits_for_aided) == (study.paths[0], True)
    with pytest.raises(DataError, match="its first reading stays"):
        read_alone(run, study, Answer("light", 60, 1.0))
    study = read_aided(run, study, Answer("light", 60, 2.0))
    assert (study.current, study.waits_for_aided) == (study.paths[1], False)
    # Whoever comes back finds all of it.
    assert load_study(run, study.id) == study
    assert study.readings[0].alone == Answer("dark", 80, 3.5)
    study = read_alone(run, study, Answer("dark", 50, 1.0))
    assert not study.finished
    study = read_aided(run, study, Answer("dark", 50, 1.0))
    assert study.finished and study.current == ""
    for again in (read_alone, read_aided):
        with pytest.raises(DataError):
            again(run, study, Answer("dark", 50, 1.0))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("grey", 80, 1.0), "no class grey"),
        (Answer("dark", 101, 1.0), "between 0 and 100"),
        (Answer("dark", -1, 1.0), "between 0 and 100"),
    ],
)
def test_answers_that_are_none(run: Run, answer: Answer, words: str) -> None:
    study = begin_study(run, 2)
    with pytest.raises(DataError, match=words):
        read_alone(run, study, answer)
    assert load_study(run, study.id) == study


def test_studies_newest_first_and_deleted(run: Run) -> None:
    one, two = begin_study(run, 2), begin_study(run, 2)
    assert [study.id for study in studies(run)] == [two.id, one.id]
    file_of(run, one).write_text("{")
    assert [study.id for study in studies(run)] == [two.id]
    delete_study(run, two)
    delete_study(run, two)
    assert studies(run) == []
    with pytest.raises(RunError, match="no such reader study"):
        load_study(run, two.id)
    with pytest.raises(RunError, match="not the id"):
        load_study(run, "../../config")


@pytest.mark.parametrize("kind", ["cut", "order", "class", "gap", "id", "confidence"])
def test_a_damaged_study_is_named(run: Run, kind: str) -> None:
    study = begin_study(run, 3, seed=1)
    for _ in range(2):
        study = read_alone(run, study, Answer("dark", 80, 1.0))
        study = read_aided(run, study, Answer("dark", 80, 1.0))
    path = file_of(run, study)
    values = json.loads(path.read_text())
    if kind == "order":
        values["readings"].reverse()
    elif kind == "class":
        values["readings"][0]["alone"]["label"] = "grey"
    elif kind == "gap":
        values["readings"][0]["aided"] = None
    elif kind == "id":
        values["id"] = "other"
    elif kind == "confidence":
        values["readings"][0]["alone"]["confidence"] = 400
    text = json.dumps(values)
    path.write_text(text[:-20] if kind == "cut" else text)
    with pytest.raises(FileError, match=path.name):
        load_study(run, study.id)
