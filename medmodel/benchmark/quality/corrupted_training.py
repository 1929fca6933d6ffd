"""What corrupted training images are worth: accuracy on clean and corrupted images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.job import UNATTENDED
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.evaluation.robustness.corruption_test import read_corruption_test
from medmodel.inference.corrupt_and_predict import corrupt_and_predict
from medmodel.runs.run import RunStore
from medmodel.runs.status_writer import StatusWriter
from medmodel.training import train

_DATA, _SIZE, _EPOCHS, _SHARE, _SEEDS = "pneumoniamnist28", 28, 8, 0.5, 3


def corrupted_training() -> list[Measurement]:
    """Compact CNN with and without corrupted training images, a pair for each seed."""
    folder = bench_data(_DATA)
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
        pairs = np.array([_pair(replace(config, seed=s)) for s in range(_SEEDS)])
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
