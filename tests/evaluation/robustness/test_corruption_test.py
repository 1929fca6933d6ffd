"""A corruption test kept and read again; what a corruption costs, and beyond chance."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import FileError
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.robustness.corruption_test import (
    CorruptionTest,
    read_corruption_test,
    write_corruption_test,
)
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.finished_run import decide_by_threshold, write_finished_run


def predictions(right: int, n: int = 100) -> Predictions:
    """Two classes, the first `right` images predicted as what they are."""
    truth = np.arange(n) % 2
    predicted = np.where(np.arange(n) < right, truth, 1 - truth)
    scores = np.where(np.eye(2)[predicted] > 0, 0.8, 0.2)
    return Predictions(["A", "B"], truth, scores, None)


def a_test(n: int = 100) -> CorruptionTest:
    """Blur costs 30 of 90 right images, noise 8, JPEG none, a crop helps by 5."""
    right = {"noise": 82, "blur": 60, "jpeg": 90, "crop": 95}
    return CorruptionTest(
        predictions(90, n),
        {key: [predictions(count, n)] * STRENGTHS for key, count in right.items()},
        {},
    )


def test_what_a_corruption_costs_is_a_paired_difference() -> None:
    change = a_test().change("blur", 3)
    assert change.value == pytest.approx(-0.3)
    # By Bonett and Price: 30 losses of 100, (30 + 1) / 102 and 1 / 102.
    spread = 31 / 102 + 1 / 102 - (30 / 102) ** 2
    half = 1.959964 * np.sqrt(spread / 102)
    assert change.low == pytest.approx(-30 / 102 - half, abs=1e-6)
    assert change.high == pytest.approx(-30 / 102 + half, abs=1e-6)


def test_only_what_costs_beyond_chance_is_named_the_worst_first() -> None:
    # Noise: 8 of 8 changes are losses, p = 2/256, four times that is 0.03.
    assert a_test().falls() == ["blur", "noise"]


def test_the_largest_loss_is_one_corruptions_or_several() -> None:
    test = a_test()
    assert test.verdict == (
        "At strength 3, 2 of 4 corruptions cost more accuracy than chance could. "
        "Largest loss among these: Blur, 30.0 percentage points (20.2 to 38.7)."
    )
    alike = replace(test, corrupted={**test.corrupted, "noise": test.corrupted["blur"]})
    assert alike.verdict.endswith(
        "among these: Noise, Blur, 30.0 percentage points each."
    )
    one = replace(test, corrupted={"blur": test.corrupted["blur"]})
    assert one.verdict.startswith("At strength 3, 1 of 1 corruptions costs more")


def test_with_few_images_nothing_is_told() -> None:
    few = CorruptionTest(predictions(30, 39), {"blur": [predictions(5, 39)] * 5}, {})
    assert not few.change("blur", 1).has_interval
    assert few.falls() == []
    assert few.too_few == (
        "Too few test images to tell what corruptions cost: 39 images; 40 are the "
        "least."
    )
    assert a_test().too_few == ""


def test_strength_0_is_the_image_as_it_is() -> None:
    assert a_test().metric("accuracy", "blur", 0).value == 0.9
    assert a_test().metric("accuracy", "blur", 1).value == 0.6


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "shown")


def write(run: Run, drop: int = 0, classes: int = 2, **replaced: np.ndarray) -> None:
    table = read_predictions(run)
    paths = table.loc[table["split"] == "test", "path"].tolist()
    n = len(paths) - drop
    clean = np.full((n, classes), 1 / classes)
    corrupted = dict.fromkeys(CORRUPTIONS, np.stack([clean] * STRENGTHS))
    examples = dict.fromkeys(CORRUPTIONS, np.zeros((STRENGTHS, 8, 8, 1), np.uint8))
    write_corruption_test(run, paths, clean, corrupted | replaced, examples)


def test_it_is_read_as_it_was_written(run: Run) -> None:
    assert read_corruption_test(run) is None
    write(run)
    test = read_corruption_test(run)
    assert test is not None
    assert list(test.corrupted) == list(CORRUPTIONS)
    assert len(test.corrupted["blur"]) == STRENGTHS
    assert test.examples["blur"].shape == (STRENGTHS, 8, 8, 1)
    assert test.clean.classes == sorted(
        p.name for p in Path(run.config.dataset).iterdir()
    )


def test_of_another_model_there_is_none(run: Run) -> None:
    write(run)
    later = (run.folder / "corruptions.npz").stat().st_mtime + 10
    os.utime(run.model_path, (later, later))
    assert read_corruption_test(run) is None


@pytest.mark.parametrize("kind", ["cut", "empty", "drop", "classes", "shape", "nan"])
def test_a_damaged_one_is_named(run: Run, kind: str) -> None:
    path = run.folder / "corruptions.npz"
    match kind:
        case "drop":
            write(run, drop=3)
        case "classes":
            write(run, classes=3)
        case "shape":
            write(run, blur=np.full((STRENGTHS, 1, 2), 0.5))
        case _:
            write(run)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    if kind == "empty":
        path.write_bytes(b"")
    if kind == "nan":
        arrays = dict(np.load(path))
        arrays["noise"] = np.full_like(arrays["noise"], np.nan)
        np.savez(path, **arrays)
    with pytest.raises(FileError, match="corruptions.npz is damaged"):
        read_corruption_test(run)


def test_corrupted_images_are_called_by_the_threshold_too(run: Run) -> None:
    decide_by_threshold(run, "dark", 0.05)
    write(run)
    test = read_corruption_test(run)
    assert test is not None
    for data in (test.clean, *test.corrupted["noise"]):
        assert (data.predicted == np.where(data.scores[:, 0] >= 0.05, 0, 1)).all()
