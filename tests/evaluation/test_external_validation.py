"""A finished model tested on another folder: what is asked for, kept and refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.data.datasets import index_dataset
from medmodel.evaluation import cross_validation, external_validation
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    store_temperature,
    stored_temperature,
)
from medmodel.evaluation.decision.frozen_thresholds import (
    freeze_thresholds,
    frozen_thresholds,
)
from medmodel.evaluation.decision.thresholds import Rule, choose_thresholds
from medmodel.evaluation.evaluation import evaluate
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs import queue, run_index
from medmodel.runs.copies import (
    ExternalCopies,
    copies_of,
    independent_predictions,
    write_external_copies,
)
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from tests.conftest import draw_class_folders
from tests.finished_run import decide_by_threshold, write_finished_run
from tests.volumes import draw_volumes

NO_COPIES = ExternalCopies([], [])
MAPPING = {"Dark": "dark", "bright": "light", "other": ""}


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "model")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    names = ("Dark", "bright", "other")
    return draw_class_folders(tmp_path / "data" / "there", names, 5, seed=7)


def tenths(count: int) -> NDArray[np.float64]:
    light = np.linspace(0, 1, count)
    return np.stack([1 - light, light], axis=1)


def test_a_test_waits_its_turn_and_is_known_to_its_model(run: Run, there: Path) -> None:
    store = RunStore()
    made = external_validation.submit(run, there, MAPPING, store)
    assert made.status.state is RunStatus.QUEUED
    assert made.title == "model, tested on there" and not made.model_path.exists()
    assert made.tested_model == run.id
    assert run.tested_model == ""
    assert made.class_mapping == {"Dark": "dark", "bright": "light"}
    other = external_validation.submit(run, there, {"other": "dark"}, store)
    assert [test.id for test in external_validation.external_tests(run, store)] == [
        other.id,
        made.id,
    ]
    store.delete(other)
    assert [test.id for test in external_validation.external_tests(run, store)] == [
        made.id
    ]


def test_the_result_is_a_run_that_can_be_evaluated(run: Run, there: Path) -> None:
    freeze_thresholds(run, Rule(), choose_thresholds(read_predictions(run), Rule()))
    made = external_validation.submit(run, there, MAPPING, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, run)
    external_validation.write_external_test(
        made, run, rows, tenths(len(rows)), NO_COPIES
    )
    found = evaluate(read_predictions(made))
    assert found.images == 10 and found.classes == ["dark", "light"]
    assert frozen_thresholds(made) == frozen_thresholds(run)
    mine, theirs = read_predictions(run), read_predictions(made)
    assert (theirs["split"] == "val").sum() == (mine["split"] == "val").sum()
    assert made.model_facts == run.model_facts


def test_the_models_threshold_decides_elsewhere_too(run: Run, there: Path) -> None:
    decide_by_threshold(run, "dark", 0.05)
    made = external_validation.submit(run, there, MAPPING, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, run)
    scores = tenths(len(rows))
    external_validation.write_external_test(made, run, rows, scores, NO_COPIES)
    data = split_predictions(read_predictions(made), "test")
    assert (data.predicted == np.where(data.scores[:, 0] >= 0.05, 0, 1)).all()


def test_what_was_chosen_for_an_earlier_state_of_the_model_is_not_taken_along(
    run: Run, there: Path
) -> None:
    """A run that was resumed has other scores than those that thresholds fit."""
    freeze_thresholds(run, Rule(), choose_thresholds(read_predictions(run), Rule()))
    store_temperature(run, Temperature(1.5, 1.2, 1.9, 300, False))
    later = (run.folder / "calibration.json").stat().st_mtime + 5
    for path in (run.folder / "predictions.csv", run.model_path):
        os.utime(path, (later, later))
    assert frozen_thresholds(run) is None and stored_temperature(run) is None
    made = external_validation.submit(run, there, MAPPING, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, run)
    external_validation.write_external_test(
        made, run, rows, tenths(len(rows)), NO_COPIES
    )
    assert frozen_thresholds(made) is None and stored_temperature(made) is None


def test_a_test_is_evaluated_but_is_no_model_to_ask(run: Run, there: Path) -> None:
    store = RunStore()
    made = external_validation.submit(run, there, MAPPING, store)
    rows = external_validation.external_images(index_dataset(there), made, run)
    external_validation.write_external_test(
        made, run, rows, tenths(len(rows)), NO_COPIES
    )
    made.write_status(replace(made.status, state=RunStatus.DONE))
    assert [e.run.id for e in run_index.finished(store)] == [run.id]
    every = run_index.finished(store, tests=True)
    assert [(e.run.id, e.test_of) for e in every] == [(run.id, ""), (made.id, run.id)]

    def model_of(asked: Run) -> Run | None:
        return external_validation.model_run(asked, store)

    # The epochs are the model's, not the test's.
    assert every[0].val_accuracy and every[1].val_accuracy is None
    assert [m and m.id for m in map(model_of, (run, made))] == [run.id, run.id]
    store.delete(run)
    assert model_of(made) is None


def test_a_test_elsewhere_is_no_other_seed(run: Run, there: Path) -> None:
    made = external_validation.submit(run, there, MAPPING, RunStore())
    trained = write_finished_run(there, "there", seed=3)
    found = {e.run.id: e for e in run_index.entries(RunStore())}
    family = cross_validation.repeats_of(found[trained.id], found.values())
    assert made.id in found and [e.run.id for e in family] == [trained.id]


def test_images_of_training_are_no_external_test(run: Run, class_folders: Path) -> None:
    made = external_validation.submit(run, class_folders, {"dark": "dark"}, RunStore())
    index = index_dataset(class_folders)
    rows = external_validation.external_images(index, made, run)
    every = ExternalCopies(rows["path"].tolist(), [])
    with pytest.raises(DataError, match=r"All \d+ images .* no external test"):
        external_validation.check_copies(index, rows, every, run)
    some = ExternalCopies(rows["path"].tolist()[1:], rows["path"].tolist()[:1])
    external_validation.check_copies(index, rows, some, run)
    external_validation.check_copies(index, rows, ExternalCopies(None, None), run)


def test_copies_of_the_models_own_images_are_left_out(run: Run, there: Path) -> None:
    made = external_validation.submit(run, there, MAPPING, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, run)
    paths = rows["path"].tolist()
    copies = ExternalCopies([paths[0], "another/class.png"], paths[1:3])
    external_validation.write_external_test(made, run, rows, tenths(len(rows)), copies)
    assert str(copies_of(made)) == (
        "3 of 10 test images are copies of images of the model's own data set (1 "
        "identical, 2 near): the numbers are of the other 7."
    )
    tested = independent_predictions(made).query("split == 'test'")
    assert set(tested["path"]) == set(paths[3:])
    assert (read_predictions(made)["split"] == "val").sum() == (
        independent_predictions(made)["split"] == "val"
    ).sum()


def test_a_test_of_an_earlier_version_says_that_nobody_looked(
    run: Run, there: Path
) -> None:
    made = external_validation.submit(run, there, MAPPING, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, run)
    external_validation.write_external_test(
        made, run, rows, tenths(len(rows)), NO_COPIES
    )
    assert str(copies_of(made)) == (
        "No copy of an image of the model's own data set was found among the test "
        "images."
    )
    (made.folder / "copies.json").unlink()
    assert str(copies_of(made)).endswith("or an earlier version made this test.")
    write_external_copies(made, ExternalCopies([], None))
    assert str(copies_of(made)) == (
        "No identical copy of an image of the model's own data set was found among the "
        "test images. Near copies could not be looked for: the model's own data set "
        "was not here."
    )


def test_volumes_are_cut_as_in_training(run: Run, tmp_path: Path) -> None:
    folder = draw_volumes(tmp_path / "data" / "vols", count=1)
    mapping = {"dark": "dark", "light": "light"}
    made = external_validation.submit(run, folder, mapping, RunStore())
    index = index_dataset(folder)
    assert len(external_validation.external_images(index, made, run)) == 6
    facts = run.model_facts
    seen = replace(facts.preprocessing, axis="coronal")
    run.write_model_facts(replace(facts, preprocessing=seen))
    with pytest.raises(DataError, match="learned from coronal slices, .* are axial"):
        external_validation.external_images(index, made, run)


@pytest.mark.parametrize("mapping", [{}, {"Dark": ""}, {"Dark": "unknown"}])
def test_no_class_in_common(run: Run, there: Path, mapping: dict[str, str]) -> None:
    with pytest.raises(DataError, match="No class of there"):
        external_validation.submit(run, there, mapping, RunStore())
    assert len(RunStore().list()) == 1


def test_classes_are_known_before_anything_is_checked(there: Path) -> None:
    assert external_validation.folder_classes(there) == ["Dark", "bright", "other"]
    index_dataset(there)
    assert external_validation.folder_classes(there) == ["Dark", "bright", "other"]


def test_classes_are_guessed_by_name() -> None:
    found = external_validation.match_classes(
        ["Dark", "light"], ["dark", " LIGHT ", "x"]
    )
    assert found == {"dark": "Dark", " LIGHT ": "light", "x": ""}
