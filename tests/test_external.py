"""A finished model tested on another folder."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medmodel import catalogue, external
from medmodel.datasets import index_dataset
from medmodel.errors import DataError, PredictionError
from medmodel.evaluation import evaluate, read_predictions
from medmodel.images import Pixels
from medmodel.runs import Run, RunStore
from medmodel.thresholds import (
    Rule,
    choose_thresholds,
    freeze_thresholds,
    frozen_thresholds,
)
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

MAPPING = {"Dark": "dark", "bright": "light"}


def by_brightness(images: Pixels) -> NDArray[np.float64]:
    light = images.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - light, light], axis=1)


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "model")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    names = ("Dark", "bright", "other")
    return draw_class_folders(tmp_path / "data" / "there", names, 5, seed=7)


def test_the_result_is_a_run_that_can_be_evaluated(run: Run, elsewhere: Path) -> None:
    freeze_thresholds(run, Rule(), choose_thresholds(read_predictions(run), Rule()))
    store, told = RunStore(), []
    made = external.test_elsewhere(
        run, elsewhere, MAPPING, store, by_brightness, lambda *p: told.append(p)
    )
    found = evaluate(read_predictions(made))
    assert found.images == 10 and found.classes == ["dark", "light"]
    assert external.tested_elsewhere(made) == run.id
    assert external.tested_elsewhere(run) == ""
    assert made.title == "model, tested on there"
    assert frozen_thresholds(made) == frozen_thresholds(run)
    mine, theirs = read_predictions(run), read_predictions(made)
    assert (theirs["split"] == "val").sum() == (mine["split"] == "val").sum()
    assert told[-1] == ("predicting", 10, 10)
    assert made.id in [e.run.id for e in catalogue.finished(store)]


def test_images_of_training_are_no_external_test(run: Run, class_folders: Path) -> None:
    index_dataset(class_folders)
    mapping = {"dark": "dark"}
    with pytest.raises(DataError, match="no external test"):
        external.test_elsewhere(run, class_folders, mapping, RunStore(), by_brightness)


def test_no_class_in_common(run: Run, elsewhere: Path) -> None:
    with pytest.raises(DataError, match="No image of there"):
        external.test_elsewhere(run, elsewhere, {}, RunStore(), by_brightness)


def test_nothing_is_left_of_a_test_that_fails(run: Run, elsewhere: Path) -> None:
    def crash(images: Pixels) -> NDArray[np.float64]:
        raise PredictionError("The model cannot be asked.")

    store = RunStore()
    before = sorted(store.folder.iterdir())
    external.start(run, elsewhere, MAPPING, store, crash)
    attempt = external.attempt_of(run)
    assert attempt is not None
    deadline = time.monotonic() + 30
    while attempt.working and time.monotonic() < deadline:
        time.sleep(0.01)
    assert attempt.error == "The model cannot be asked."
    assert sorted(store.folder.iterdir()) == before


def test_classes_are_guessed_by_name() -> None:
    found = external.guessed_mapping(["Dark", "light"], ["dark", " LIGHT ", "x"])
    assert found == {"dark": "Dark", " LIGHT ": "light", "x": ""}
