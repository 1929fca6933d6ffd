"""What corrupted training images are worth: accuracy on clean and corrupted images."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.job import UNATTENDED
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.evaluation.robustness.corruption_test import read_corruption_test
from medmodel.inference.corrupt_and_predict import corrupt_and_predict
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training import train

_DATA, _SIZE, _EPOCHS, _SHARE, _SEEDS = "pneumoniamnist28", 28, 8, 0.5, 3
_OF_TRAINING = 4
"""One of so many training and validation images counts: few, as in a small study."""


def corrupted_training() -> list[Measurement]:
    """Compact CNN with and without corrupted training images, a pair for each seed."""
    with tempfile.TemporaryDirectory() as root:
        folder = _part_of(bench_data(_DATA), Path(root) / _DATA)
        pairs = _pairs(folder)
    gains = pairs[:, 1] - pairs[:, 0]
    clean, corrupted = np.median(gains, axis=0)
    note = (
        f"median of {_SEEDS} pairs of seeds, {gains[:, 1].min():+.3f} to "
        f"{gains[:, 1].max():+.3f}; without {np.median(pairs[:, 0, 1]):.3f}, with "
        f"{np.median(pairs[:, 1, 1]):.3f}; on clean images {clean:+.3f} "
        f"({gains[:, 0].min():+.3f} to {gains[:, 0].max():+.3f})"
    )
    what = "accuracy gained under corruptions"
    return [at_least("corrupted_training", float(corrupted), 0.01, what, note)]


def _part_of(source: Path, target: Path) -> Path:
    """A copy of a data set with all test images and a part of the others."""
    for split in ("train", "val", "test"):
        for folder in sorted(p for p in (source / split).iterdir() if p.is_dir()):
            (target / split / folder.name).mkdir(parents=True)
            files = sorted(folder.iterdir())
            for file in files if split == "test" else files[::_OF_TRAINING]:
                shutil.copyfile(file, target / split / folder.name / file.name)
    return target


def _pairs(folder: Path) -> NDArray[np.float64]:
    """(seeds, without and with, clean and corrupted) accuracies."""
    with with_data_root(folder), temporary_workspace():
        pattern = guess_patient_pattern(index_dataset(folder).table["path"])
        config = config_for(
            "compact",
            str(folder),
            size=_SIZE,
            epochs=_EPOCHS,
            patience=0,
            patient_pattern=pattern,
        )
        pairs = [_pair(replace(config, seed=seed)) for seed in range(_SEEDS)]
    return np.array(pairs)


def _pair(config: TrainConfig) -> list[tuple[float, float]]:
    """Accuracies without and with corrupted training images."""
    change = replace(config.augmentation, corruption=_SHARE)
    return [_accuracies(config), _accuracies(replace(config, augmentation=change))]


def _accuracies(config: TrainConfig) -> tuple[float, float]:
    """Accuracy on clean test images, and its mean over corruptions and strengths."""
    run = RunStore().create(config)
    with StatusWriter(run) as reporter:
        train.train(run, reporter)
    corrupt_and_predict(run, UNATTENDED)
    test = read_corruption_test(run)
    assert test is not None
    truth = test.clean.truth
    each = [p.predicted == truth for five in test.corrupted.values() for p in five]
    return float((test.clean.predicted == truth).mean()), float(np.mean(each))
