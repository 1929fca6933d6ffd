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
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status_writer import StatusWriter
from medmodel.training.context import TrainingContext
from medmodel.training.refit import refit_head

_IMAGES = {"train": 4_448, "val": 768, "test": 624}
"""Those of the chest X-rays."""
_CLASSES = ["NORMAL", "PNEUMONIA"]
_REPEATS = 5


def refit() -> list[Measurement]:
    """Features of as many images as the chest X-rays, read from a file each time."""
    with temporary_workspace(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        labels = _draw(path)
        seconds = [_refit_once(path, labels, seed=at) for at in range(_REPEATS)]
    note = (
        f"{sum(_IMAGES.values()):,} images, {FEATURES:,} cached features, 20 labels "
        f"corrected; median of {_REPEATS} ({min(seconds):.2f} to {max(seconds):.2f} s)"
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


def _refit_once(path: Path, labels: np.ndarray, seed: int) -> float:
    """Seconds from the corrected labels to the new layer, its features in a file."""
    rng = np.random.default_rng(seed)
    given = labels.copy()
    wrong = rng.choice(_IMAGES["train"], 20, replace=False)
    given[wrong] = 1 - given[wrong]
    zeros = np.zeros((FEATURES, len(_CLASSES))), np.zeros(len(_CLASSES))
    run = RunStore().create(TrainConfig("bench"))
    with StatusWriter(run) as reporter:
        contexts = [_context(run, reporter, each) for each in (given, labels)]
        _trainer, earlier = refit_head(contexts[0], np.load(path, "r"), *zeros)
        assert earlier is not None
        began = time.perf_counter()
        refit_head(contexts[1], np.load(path, "r"), *earlier.dense_weights)
        return time.perf_counter() - began


def _context(run: Run, reporter: StatusWriter, labels: np.ndarray) -> TrainingContext:
    splits = [split for split, count in _IMAGES.items() for _image in range(count)]
    names = np.array(_CLASSES)[labels]
    table = pd.DataFrame({"path": "", "label": names, "patient": "", "split": splits})
    pixels = np.zeros((len(labels), 1, 1, 1), np.uint8)
    prepared = Prepared(run.folder, pixels, table, {})
    preprocessing = Preprocessing(28)
    return TrainingContext(run, run.config, reporter, _CLASSES, preprocessing, prepared)
