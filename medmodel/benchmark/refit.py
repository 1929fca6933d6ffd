"""Row `refit`: how long an Instant run takes to learn from corrected labels."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.prepared import Prepared
from medmodel.networks.features import FEATURES
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training.context import TrainingContext
from medmodel.training.refit import NEAR
from medmodel.training.softmax_head import STRENGTHS, HeadTrainer

_IMAGES = {"train": 4_448, "val": 768, "test": 624}
"""Those of the chest X-rays."""
_CLASSES = ["NORMAL", "PNEUMONIA"]
_EPOCHS = 25
"""As many as a refit of the chest X-rays makes: their best epoch is the 20th."""
_NEAR = STRENGTHS[8 : 8 + 2 * NEAR + 1]
_REPEATS = 3


def refit() -> list[Measurement]:
    """Features of as many images as the chest X-rays, read from a file each time."""
    with temporary_workspace(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        labels = _draw(path)
        seconds = [_refit_once(path, labels) for _repeat in range(_REPEATS)]
    note = (
        f"{sum(_IMAGES.values()):,} images, {FEATURES:,} cached features, "
        f"{_EPOCHS} epochs; median of {_REPEATS} ({min(seconds):.2f} to "
        f"{max(seconds):.2f} s)"
    )
    return [at_most("refit", statistics.median(seconds), 2.0, "s", note)]


def _draw(path: Path) -> np.ndarray:
    """Writes features of two classes that overlap a little; gives their classes."""
    rng = np.random.default_rng(0)
    count = sum(_IMAGES.values())
    labels = (rng.random(count) < 0.74).astype(np.intp)
    direction = rng.normal(size=FEATURES) / 60
    features = rng.normal(size=(count, FEATURES)) + np.outer(labels, direction)
    np.save(path, features.astype(np.float16))
    return labels


def _refit_once(path: Path, labels: np.ndarray) -> float:
    """Seconds from the corrected labels to the new layer, its features in a file."""
    run = RunStore().create(TrainConfig("bench"))
    order = np.random.default_rng(0).permutation(len(labels))
    with StatusWriter(run) as reporter:
        context = _context(run, reporter, labels)
        began = time.perf_counter()
        features = np.load(path, "r")
        trainer = HeadTrainer(context, FEATURES, _NEAR)
        for start in range(0, len(order), 1024):
            rows = order[start : start + 1024]
            trainer.add_features(rows, features[rows])
        assert trainer.train_epochs(_EPOCHS) is not None
        return time.perf_counter() - began


def _context(run: Run, reporter: StatusWriter, labels: np.ndarray) -> TrainingContext:
    splits = [split for split, count in _IMAGES.items() for _image in range(count)]
    names = np.array(_CLASSES)[labels]
    table = pd.DataFrame({"path": "", "label": names, "patient": "", "split": splits})
    pixels = np.zeros((len(labels), 1, 1, 1), np.uint8)
    prepared = Prepared(run.folder, pixels, table, {})
    preprocessing = Preprocessing(28)
    return TrainingContext(run, run.config, reporter, _CLASSES, preprocessing, prepared)
