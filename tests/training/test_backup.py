"""A backup holds all that the next step depends on, or counts as none."""

from __future__ import annotations

import math
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.networks.models import build_model
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training import backup
from medmodel.training.backup import Progress, restore, write_backup

TINY = Preprocessing(28, colour="grey")
HISTORY = "attempt,epoch,step\n1,1,2\n1,2,4\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore().create(config_for("compact", str(tmp_path)))


def network(seed: int = 0, name: str = "compact_resnet") -> keras.Model:
    model = build_model(name, TINY, 2, seed=seed)
    model.compile(keras.optimizers.Adam(), "categorical_crossentropy")
    return model


def changed(model: keras.Model) -> keras.Model:
    """Every number of the model's state is another one than at first."""
    model.optimizer.build(model.trainable_variables)
    for number, variable in enumerate([*model.variables, *model.optimizer.variables]):
        variable.assign(np.full(variable.shape, number + 1))
    return model


def state(model: keras.Model) -> list[np.ndarray]:
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def saved(run: Run, epoch: int = 2) -> tuple[keras.Model, Path]:
    model = changed(network())
    write_backup(model, run, Progress(epoch, 4, 0, None, HISTORY))
    return model, run.folder / "backup" / f"epoch_{epoch:05}.npz"


def equal(one: keras.Model, two: keras.Model) -> bool:
    pairs = zip(state(one), state(two), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def test_seeds_means_optimizer_and_progress_are_restored(run: Run) -> None:
    model, _ = saved(run)
    seeds = [v for v in model.variables if "seed" in v.path]
    assert seeds, "without Dropout this proves nothing"
    run.history_path.write_text(HISTORY + "1,3,6\n")
    other = network(seed=1)
    assert restore(other, run) == Progress(2, 4, 0, None, HISTORY)
    assert equal(model, other)
    assert run.history_path.read_text() == HISTORY


def test_loss_scale_is_restored(run: Run) -> None:
    def scaled() -> keras.Model:
        model = network()
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
        model.compile(optimizer, "categorical_crossentropy")
        return model

    model, other = changed(scaled()), scaled()
    write_backup(model, run, Progress(1))
    restore(other, run)
    assert equal(model, other)
    assert float(other.optimizer.dynamic_scale) > 1


def test_only_the_newest_stays(run: Run) -> None:
    saved(run, 1)
    _, newest = saved(run, 2)
    assert list(newest.parent.iterdir()) == [newest]


def test_no_backup_nothing_finished(run: Run) -> None:
    model = network()
    before = [variable.numpy() for variable in model.variables]
    assert restore(model, run) == Progress()
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "other network"])
def test_a_damaged_backup_counts_as_none(run: Run, damage: str) -> None:
    _, path = saved(run)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "other network":
        write_backup(changed(network(name="document_cnn")), run, Progress(2))
    else:
        short = {"cut": bytes(content[:-100]), "empty": b"", "text": b"no archive"}
        path.write_bytes(short[damage])
    model, fresh = network(), network()
    fresh.optimizer.build(fresh.trainable_variables)
    assert restore(model, run) == Progress()
    assert equal(model, fresh)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_backup_is_left_out_and_removed(run: Run, kind: str) -> None:
    model, older = saved(run, 1)
    newer = older.with_name("epoch_00002.npz")
    if kind == "pipe":
        os.mkfifo(newer)
    else:
        newer.mkdir()
    assert restore(network(seed=1), run).epoch == 1
    write_backup(model, run, Progress(3))
    assert [path.name for path in older.parent.iterdir()] == ["epoch_00003.npz"]


def test_an_older_whole_backup_is_better_than_none(run: Run) -> None:
    model, older = saved(run, 1)
    older.with_name("epoch_00002.npz").write_bytes(b"half")
    other = network(seed=1)
    assert restore(other, run).epoch == 1
    assert equal(model, other)


def test_without_its_best_model_a_backup_is_of_no_use(run: Run) -> None:
    progress = Progress(2, 4, 1, 0.5, HISTORY)
    write_backup(changed(network()), run, progress)
    assert restore(network(), run) == Progress()
    with zipfile.ZipFile(run.model_path, "w") as file:
        file.writestr("weights", b"numbers")
    assert restore(network(), run) == progress
    assert restore(network(), run).best_loss != math.inf


def test_a_backup_of_an_earlier_version_goes_on(run: Run) -> None:
    model = changed(network())
    (run.folder / "backup").mkdir()
    model.save_weights(run.folder / "backup" / "epoch_00002.weights.h5")
    run.history_path.write_text(HISTORY)
    other = network(seed=1)
    assert restore(other, run) == replace(Progress(), epoch=2, step=4)
    for ours, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)


def test_each_device_gets_its_own_value_or_the_mean() -> None:
    values = np.array([[1.0], [3.0]], np.float32)
    assert [v.tolist() for v in backup._for_devices(values, 2)] == [[1.0], [3.0]]
    assert [v.tolist() for v in backup._for_devices(values, 1)] == [[2.0]]
    seeds = np.array([[5, 1], [5, 7]], np.uint32)
    assert [v.tolist() for v in backup._for_devices(seeds, 3)] == [[5, 1]] * 3
