"""A model asked about corrupted test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import Cancelled, DataError
from medmodel.core.job import UNATTENDED, Job
from medmodel.evaluation.robustness.corruption_test import read_corruption_test
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.inference.corrupt_and_predict import (
    corrupt_and_predict,
    corrupted_images,
)
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import (
    SAMPLE_COLUMNS,
    read_predictions,
    score_array,
    scored_classes,
    write_predictions,
)
from tests.tiny_run import make_tiny_run


@pytest.fixture
def run(class_folders: Path) -> Run:
    return make_tiny_run(class_folders, "tiny")


def test_the_model_is_asked_about_every_corruption(run: Run) -> None:
    told: list[tuple[str, int, int]] = []
    corrupt_and_predict(run, Job(lambda *news: told.append(news)), most=5)
    test = read_corruption_test(run)
    assert test is not None and len(test.clean.truth) == 5
    table = read_predictions(run)
    scores = score_array(table[table["split"] == "test"], test.clean.classes)
    # Each is one of those that the run predicted itself, by the same pixels.
    for row in test.clean.scores:
        assert np.abs(scores - row).max(axis=1).min() < 1e-5
    for key in CORRUPTIONS:
        assert len(test.corrupted[key]) == STRENGTHS
        assert test.examples[key].shape == (STRENGTHS, 32, 32, 1)
    assert told[-1] == ("corrupting", 50, 51)


def test_it_ends_on_request_and_leaves_nothing(run: Run) -> None:
    told: list[str] = []

    def told_to_end() -> bool:
        return "corrupting" in told

    with pytest.raises(Cancelled):
        corrupt_and_predict(run, Job(lambda p, *_: told.append(p), told_to_end))
    assert read_corruption_test(run) is None


def test_without_test_images_there_is_none(run: Run) -> None:
    table = read_predictions(run).assign(split="val")
    classes = scored_classes(table)
    samples = table[list(SAMPLE_COLUMNS)]
    write_predictions(run, classes, samples, score_array(table, classes))
    with pytest.raises(DataError, match="no test image"):
        corrupt_and_predict(run, UNATTENDED)


def test_images_are_corrupted_each_by_its_own_chance() -> None:
    images = np.full((2, 16, 16, 1), 100, np.uint8)
    noisy = corrupted_images(images, "noise", 5)
    assert (noisy[0] != noisy[1]).any()
