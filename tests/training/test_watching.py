"""Which validation images are watched, and that watching changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.prepared import Prepared
from medmodel.runs.progress import watched
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training.context import TrainingContext
from medmodel.training.watching import (
    FEWEST,
    MOST,
    WatchImages,
    begin_watching,
    watched_rows,
)


@pytest.fixture
def run(workspace: Path) -> Run:
    return RunStore().create(TrainConfig(dataset="/data", seed=3))


def context_of(run: Run, classes: int, each: int = 5, held: str = "val") -> Any:
    labels = [f"c{k}" for k in range(classes) for _ in range(2 * each)]
    splits = [held if at % 2 else "train" for at in range(len(labels))]
    table = pd.DataFrame({"label": labels, "split": splits, "path": labels})
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (len(labels), 8, 8, 3), np.uint8)
    prepared = Prepared(run.folder, pixels, table, {})
    names = sorted(set(labels))
    reporter: Any = None
    return TrainingContext(run, run.config, reporter, names, Preprocessing(8), prepared)


@pytest.mark.parametrize(
    ("classes", "count"), [(2, FEWEST), (3, FEWEST), (5, 5), (6, MOST), (9, MOST)]
)
def test_one_of_each_class_and_more_where_classes_are_few(
    run: Run, classes: int, count: int
) -> None:
    context = context_of(run, classes)
    rows = watched_rows(context)
    assert len(set(rows)) == len(rows) == count
    assert set(context.prepared.table["split"].iloc[rows]) == {"val"}
    assert len(set(context.targets[rows])) == min(classes, MOST)
    np.testing.assert_array_equal(rows, watched_rows(context))


def test_nothing_to_watch_without_validation_images(run: Run) -> None:
    assert not len(watched_rows(context_of(run, 2, held="test")))


def test_images_are_kept_as_the_network_sees_them(run: Run) -> None:
    rows = begin_watching(context_of(run, 3), 0)
    kept = watched.read_watched(run)
    assert kept is not None and len(kept.images) == len(rows)
    assert kept.images[0].label == "c0"
    assert kept.images[0].png.startswith("data:image/png;base64,iVBOR")


def test_scores_are_those_of_the_network(run: Run) -> None:
    context = context_of(run, 3)
    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )
    callback = WatchImages(context, 0)
    callback.set_model(model)
    callback.on_epoch_end(0)
    row = pd.read_csv(watched.table_path(run)).iloc[0]
    expected = np.asarray(model(callback.pixels)).ravel()
    assert row["epoch"] == 1
    np.testing.assert_allclose(row.to_numpy()[1:], expected, rtol=1e-3)
