"""Results of a reader study, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.reader_study import (
    Answer,
    ReaderStudy,
    begin_study,
    read_aided,
    read_alone,
)
from medmodel.evaluation.clinical.study_results import (
    AIDED,
    ALONE,
    MODEL,
    cohen_kappa,
    results_table,
    study_results,
)
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.conftest import draw_class_folders
from tests.finished_run import decide_by_threshold, write_finished_run

OTHER = {"dark": "light", "light": "dark"}


def test_kappa_by_hand() -> None:
    """Cohen's own sort of table: 20 and 15 agree, 5 and 10 do not."""
    one = np.array([0] * 25 + [1] * 25)
    other = np.array([0] * 20 + [1] * 5 + [0] * 10 + [1] * 15)
    # Agreement 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == 1
    assert cohen_kappa(one, 1 - one) == pytest.approx(-1)
    assert math.isnan(cohen_kappa(np.zeros(4, int), np.zeros(4, int)))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=30)
    return write_finished_run(folder, "read")


def read(run: Run, wrong_alone: int, wrong_aided: int, images: int = 20) -> ReaderStudy:
    """A reader who errs in the first images; alone in more or fewer than aided."""
    labels = read_predictions(run).set_index("path")["label"]
    study = begin_study(run, images, seed=3)
    for at, path in enumerate(study.paths):
        label = labels[path]
        alone = OTHER[label] if at < wrong_alone else label
        aided = OTHER[label] if at < wrong_aided else label
        study = read_alone(run, study, Answer(alone, 70, 4.0 + at))
        study = read_aided(run, study, Answer(aided, 90, 2.0))
    return study


def test_reader_model_and_both_on_the_same_images(run: Run) -> None:
    study = read(run, wrong_alone=6, wrong_aided=2)
    results = study_results(run, study)
    assert list(results.common.models) == [ALONE, MODEL, AIDED]
    assert sorted(results.common.paths) == sorted(study.paths)
    share = {
        name: float(np.mean(m.predicted == m.truth))
        for name, m in results.common.models.items()
    }
    assert share[ALONE] == 14 / 20 and share[AIDED] == 18 / 20
    table = read_predictions(run).set_index("path").loc[study.paths]
    right = (table["score_light"] > 0.5) == (table["label"] == "light")
    assert share[MODEL] == right.mean()
    counts = (results.images, results.changed, results.improved, results.worsened)
    assert counts == (20, 4, 4, 0)
    assert (results.seconds_alone, results.seconds_aided) == (13.5, 2.0)
    pair = {(d.first, d.second): d for d in results.differences("accuracy")}
    gained = pair[ALONE, AIDED]
    assert gained.estimate.value == pytest.approx(-0.2)
    # Of 20 images none of the three is tested, so that none is corrected for others.
    assert {each.p_text for each in pair.values()} == {"–"}
    # Four changes to the same side.
    assert gained.p == pytest.approx(2 / 2**4)
    worse = study_results(run, read(run, wrong_alone=0, wrong_aided=1))
    assert (worse.changed, worse.improved, worse.worsened) == (1, 0, 1)


def test_confidence_ranks_the_readers_images(run: Run) -> None:
    results = study_results(run, read(run, wrong_alone=5, wrong_aided=0))
    alone = results.common.models[ALONE]
    np.testing.assert_allclose(alone.scores.max(axis=1), 0.7)
    np.testing.assert_allclose(alone.scores.sum(axis=1), 1)
    table = results_table(results, ("accuracy", "sensitivity", "auc"), position=1)
    assert list(table)[1:] == [ALONE, MODEL, AIDED]
    assert list(table["Metric"])[:2] == ["Accuracy", "Sensitivity (recall)"]
    assert table[AIDED].iloc[2].startswith("1.000")


def test_a_guess_still_names_its_class(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    folder = draw_class_folders(tmp_path / "data" / "three", names, 6)
    run = write_finished_run(folder, "three")
    study = begin_study(run, 3, seed=1)
    study = read_alone(run, study, Answer("c", 0, 1.0))
    study = read_aided(run, study, Answer("a", 34, 1.0))
    results = study_results(run, study)
    assert results.common.models[ALONE].predicted[0] == 2
    assert results.common.models[AIDED].predicted[0] == 0
    np.testing.assert_allclose(results.common.models[AIDED].scores[0, 1:], 0.33)


def test_nothing_read_yet(run: Run) -> None:
    study = begin_study(run, 3)
    with pytest.raises(DataError, match="No image was read yet"):
        study_results(run, study)
    study = read_alone(run, study, Answer("dark", 80, 1.0))
    with pytest.raises(DataError, match="No image was read yet"):
        study_results(run, study)


def test_a_reader_is_not_judged_by_the_models_threshold(run: Run) -> None:
    decide_by_threshold(run, "dark", 0.999)
    share = {
        name: float(np.mean(m.predicted == m.truth))
        for name, m in study_results(run, read(run, 6, 2)).common.models.items()
    }
    assert share[ALONE] == 14 / 20 and share[AIDED] == 18 / 20
    # The model calls hardly anything dark any more.
    assert share[MODEL] == pytest.approx(0.5, abs=0.25)
