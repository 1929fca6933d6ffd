"""Gradient descent on drawn images: learns, stops, fine-tunes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import Cancelled
from medmodel.core.storage import read_json
from medmodel.networks.models import MODELS
from medmodel.runs.failures import NotANumberError
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import fitting, train
from medmodel.training.backup import Backup
from tests.conftest import draw_class_folders


def _tiny(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="last")(x)
    return keras.layers.GlobalAveragePooling2D()(x)


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that trains in a moment takes the place of the compact one."""
    monkeypatch.setitem(MODELS, "compact_resnet", _tiny)


def settings(folder: Path, **changes: Any) -> TrainConfig:
    small = {"size": 28, "epochs": 3, "batch_size": 8, "precision": "float32"}
    return config_for("compact", str(folder), **{**small, "patience": 0, **changes})


def trained(run: Run) -> RunStatus:
    with StatusWriter(run) as reporter:
        return train.train(run, reporter)


def rows(run: Run, name: str = "history.csv") -> list[dict[str, str]]:
    with (run.folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weights(run: Run) -> list[np.ndarray]:
    return keras.models.load_model(run.model_path, compile=False).get_weights()


class Crash(Exception):
    """Stands for a kill between two epochs."""


def crash_after(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    written = Backup.on_epoch_end

    def crashing(self: Backup, number: int, logs: Any = None) -> None:
        written(self, number, logs)
        if number + 1 == epoch:
            raise Crash

    monkeypatch.setattr(Backup, "on_epoch_end", crashing)


def test_stop_keeps_the_best_model_and_predicts(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore().create(settings(class_folders, epochs=50))
    written = Backup.on_epoch_end

    def stopping(self: Backup, number: int, logs: Any = None) -> None:
        written(self, number, logs)
        if number == 1:
            run.request_stop()

    monkeypatch.setattr(Backup, "on_epoch_end", stopping)
    assert trained(run) is RunStatus.STOPPED
    assert 2 <= len(rows(run)) < 50
    best = read_json(run.folder / "best.json")
    assert best["val_loss"] == min(float(row["val_loss"]) for row in rows(run))
    assert {row["split"] for row in rows(run, "predictions.csv")} == {"val", "test"}
    assert (run.folder / "backup").exists() and not (run.folder / "trained").exists()


def test_stopped_in_the_first_epoch_keeps_what_there_is(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore().create(settings(class_folders, batch_size=1))
    begin = fitting.StatusCallback.on_epoch_begin

    def stopping(self: Any, epoch: int, logs: Any = None) -> None:
        begin(self, epoch, logs)
        run.request_stop()

    monkeypatch.setattr(fitting.StatusCallback, "on_epoch_begin", stopping)
    assert trained(run) is RunStatus.STOPPED
    assert run.model_facts.class_names == ["dark", "light"]


def test_stopped_before_the_first_step_there_is_no_model(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(*_: Any) -> None:
        raise Cancelled

    monkeypatch.setattr(fitting.StatusCallback, "on_epoch_begin", stopping)
    run = RunStore().create(settings(class_folders))
    trained(run)
    assert not run.model_path.exists()


def test_learning_rate_warms_up_then_falls_as_a_cosine(class_folders: Path) -> None:
    config = settings(class_folders, epochs=10, learning_rate=0.01)
    rate = fitting._optimizer(config, steps=20)._learning_rate
    # 200 steps: a tenth of them warm up from a tenth, at most one epoch.
    expected = {0: 0.001, 10: 0.0055, 20: 0.01, 110: 0.00505, 200: 0.0001}
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, rel=1e-4)
    short = fitting._optimizer(replace(config, epochs=1), steps=5)._learning_rate
    assert float(short(0)) == pytest.approx(0.01)
    long = fitting._optimizer(replace(config, epochs=100), steps=20)._learning_rate
    assert float(long(20)) == pytest.approx(0.01)


def test_other_schedules_warm_up_as_well(class_folders: Path) -> None:
    config = settings(class_folders, epochs=10, learning_rate=0.01)
    constant = fitting.learning_rates(replace(config, schedule="constant"), 20)
    for step, value in {0: 0.001, 10: 0.0055, 20: 0.01, 200: 0.01}.items():
        assert float(constant(step)) == pytest.approx(value, rel=1e-4)
    falling = fitting.learning_rates(replace(config, schedule="exponential"), 20)
    expected = {0: 0.001, 10: 0.0055, 20: 0.01, 110: 0.001, 200: 0.0001}
    for step, value in expected.items():
        assert float(falling(step)) == pytest.approx(value, rel=1e-4)


def test_gradients_are_clipped_only_where_asked(class_folders: Path) -> None:
    config = settings(class_folders)
    assert fitting._optimizer(config, 5).global_clipnorm is None
    for name in ("adam", "adamw", "sgd"):
        clipped = replace(config, optimizer=name, clip_norm=2.5)
        assert fitting._optimizer(clipped, 5).global_clipnorm == 2.5


def test_all_options_together_train(class_folders: Path) -> None:
    run = RunStore().create(
        settings(
            class_folders,
            schedule="exponential",
            label_smoothing=0.1,
            clip_norm=1.0,
            balanced_sampling=True,
            mixup=0.2,
            ema=0.9,
            test_time_flips="both",
        )
    )
    trained(run)
    assert run.model_facts.flips == "both"
    assert run.model_path.exists()


def test_averaged_weights_are_validated_and_saved(class_folders: Path) -> None:
    averaged = RunStore().create(settings(class_folders, ema=0.9, epochs=2))
    plain = RunStore().create(settings(class_folders, epochs=2))
    trained(averaged)
    trained(plain)
    # Training itself goes on as without: only what is looked at differs.
    for one, other in zip(rows(averaged), rows(plain), strict=True):
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-4)
        assert float(one["val_loss"]) != pytest.approx(float(other["val_loss"]))
    best = min(float(row["val_loss"]) for row in rows(averaged))
    predictions = pd.read_csv(averaged.predictions_path)
    seen = predictions[predictions["split"] == "val"]
    scores = np.where(seen["label"] == "dark", seen["score_dark"], seen["score_light"])
    assert -np.log(scores).mean() == pytest.approx(best, rel=1e-3)


def test_the_average_is_that_of_all_steps(class_folders: Path) -> None:
    optimizer = fitting._optimizer(settings(class_folders, ema=0.5), 5)
    assert optimizer.use_ema and optimizer.ema_momentum == 0.5
    assert not fitting._optimizer(settings(class_folders), 5).use_ema


def test_stopped_in_the_first_epoch_keeps_the_averages(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callbacks: list[fitting.AveragedWeights] = []
    swapped: list[bool] = []
    keep = fitting.BestCheckpoint.keep_unvalidated
    ended = fitting.StatusCallback.on_train_batch_end

    class Noted(fitting.AveragedWeights):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            callbacks.append(self)

    def keeping(self: Any, model: keras.Model) -> None:
        swapped.append(callbacks[-1]._ema_weights_in_model)
        keep(self, model)

    def stopping(self: Any, batch: int, logs: Any = None) -> None:
        ended(self, batch, logs)
        if batch == 2:
            raise Cancelled

    run = RunStore().create(settings(class_folders, batch_size=1, ema=0.9))
    monkeypatch.setattr(fitting, "AveragedWeights", Noted)
    monkeypatch.setattr(fitting.StatusCallback, "on_train_batch_end", stopping)
    monkeypatch.setattr(fitting.BestCheckpoint, "keep_unvalidated", keeping)
    trained(run)
    assert swapped == [True] and run.model_path.exists()


def test_loss_that_is_no_number_is_named(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(float("inf"))

    monkeypatch.setattr(fitting, "_optimizer", broken)
    run = RunStore().create(settings(class_folders))
    with pytest.raises(NotANumberError, match="epoch 1, step"):
        trained(run)


def test_patience_ends_training(class_folders: Path) -> None:
    run = RunStore().create(
        settings(class_folders, epochs=30, patience=1, learning_rate=1e-7)
    )
    assert trained(run) is RunStatus.DONE
    assert len(rows(run)) < 30
    assert (run.folder / "trained").exists() and not (run.folder / "backup").exists()


@pytest.fixture
def fine_tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """Settings of a fine-tuning whose network has batch normalisation."""

    def pretrained(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
        x = keras.layers.BatchNormalization(name="norm")(_tiny(images, weights))
        return keras.layers.Dropout(0.2)(x)

    monkeypatch.setitem(MODELS, "efficientnet_lite0", pretrained)
    folder = draw_class_folders(tmp_path / "data" / "many", images_per_class=30)
    small = {"size": 28, "epochs": 1, "batch_size": 16, "precision": "float32"}
    return config_for("custom", str(folder), **small, learning_rate=1e-7)


def test_fine_tuning_starts_from_a_solved_head_and_leaves_batch_norm(
    fine_tuned: TrainConfig,
) -> None:
    run = RunStore().create(fine_tuned)
    assert trained(run) is RunStatus.DONE
    saved = keras.models.load_model(run.model_path, compile=False)
    # Nearly nothing was learned by descent: it is the head that knows the classes.
    assert float(rows(run)[-1]["val_accuracy"]) > 0.9
    np.testing.assert_array_equal(saved.get_layer("norm").moving_mean, np.zeros(4))


def test_a_resumed_fine_tuning_does_not_solve_its_head_anew(
    fine_tuned: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore().create(replace(fine_tuned, epochs=2))
    with monkeypatch.context() as patch:
        crash_after(patch, 1)
        with pytest.raises(Crash):
            trained(run)
    monkeypatch.setattr(fitting, "_start_head", lambda *_: pytest.fail("solved anew"))
    assert trained(run) is RunStatus.DONE
    assert [row["epoch"] for row in rows(run)] == ["1", "2"]
