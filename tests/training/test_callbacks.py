"""Reports, stops, keeps the best and goes on after a crash."""

from __future__ import annotations

import csv
import errno
import math
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import Cancelled
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import read_json
from medmodel.evaluation.decision.frozen_thresholds import (
    freeze_thresholds,
    frozen_thresholds,
)
from medmodel.evaluation.decision.thresholds import Rule
from medmodel.networks.models import build_model
from medmodel.runs.failures import NotANumberError
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.curves import append_steps
from medmodel.training import callbacks
from medmodel.training.callbacks import (
    Best,
    BestCheckpoint,
    StatusCallback,
    read_best,
)
from medmodel.training.checkpoint import save_model

TINY = Preprocessing(28, colour="grey")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore().create(config_for("document", str(tmp_path)))


def tiny_model(seed: int = 0) -> keras.Model:
    model = build_model("document_cnn", TINY, 2, seed=seed)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def batch() -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), np.uint8)
    return pixels, np.eye(2, dtype=np.float32)[np.arange(8) % 2]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_batch_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "STEP_SECONDS", 0.0)
    with StatusWriter(run) as reporter:
        callback = StatusCallback(reporter, 10, 16)
        callback.on_epoch_begin(2)
        # Keras gives means over the epoch so far: the batches had 3, 1 and 2.
        for number, mean in enumerate((3.0, 2.0, 2.0)):
            callback.on_train_batch_end(number, {"loss": mean, "accuracy": 0.5})
        assert (reporter.status.done, reporter.status.total) == (3, 6)
    told = rows(run.folder / "steps.csv")
    assert [float(row["loss"]) for row in told] == pytest.approx([3.0, 1.0, 2.0])
    assert [row["step"] for row in told] == ["11", "12", "13"]
    assert {row["epoch"] for row in told} == {"3"}


def test_steps_are_reported_together_where_they_are_quick(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.04, 100.06])
    timer = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(callbacks, "time", timer)
    reported: list[dict[str, float]] = []
    with StatusWriter(run) as reporter:
        monkeypatch.setattr(reporter, "step", lambda **row: reported.append(row))
        callback = StatusCallback(reporter, 0, 3)
        callback.on_epoch_begin(0)
        for number, mean in enumerate((3.0, 2.0, 2.0)):
            callback.on_train_batch_end(number, {"loss": mean, "accuracy": mean / 4})
    assert [row["step"] for row in reported] == [1, 3]
    # The second and third batch had 1 and 2.
    assert reported[1]["loss"] == pytest.approx(1.5)
    assert reported[1]["metric"] == pytest.approx(0.375)


def test_an_epoch_is_a_row_of_the_history(run: Run) -> None:
    model = tiny_model()
    model.optimizer.learning_rate = 0.25
    with StatusWriter(run) as reporter:
        callback = StatusCallback(reporter, 30, 60)
        callback.set_model(model)
        callback.on_epoch_end(2, {"loss": np.float32(0.5), "val_loss": 0.75})
    (row,) = rows(run.folder / "history.csv")
    assert (row["epoch"], row["step"], row["learning_rate"]) == ("3", "30", "0.25")
    assert (row["loss"], row["val_loss"]) == ("0.5", "0.75")


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_loss_that_is_no_number_ends_training(run: Run, loss: float) -> None:
    with StatusWriter(run) as reporter:
        callback = StatusCallback(reporter, 0, 10)
        callback.on_epoch_begin(1)
        with pytest.raises(NotANumberError, match="epoch 2, step 5"):
            callback.on_train_batch_end(4, {"loss": loss, "accuracy": 0.5})


def test_stop_is_heard_in_training_and_validation(run: Run) -> None:
    run.request_stop()
    with StatusWriter(run) as reporter:
        callback = StatusCallback(reporter, 0, 10)
        with pytest.raises(Cancelled):
            callback.on_train_batch_end(0, {"loss": 1.0, "accuracy": 0.5})
        with pytest.raises(Cancelled):
            callback.on_test_batch_end(0)


def keeper(reporter: StatusWriter, saved: list[keras.Model], patience: int = 0) -> Any:
    def save(model: keras.Model) -> None:
        saved.append(model)
        with zipfile.ZipFile(reporter.run.model_path, "w") as file:
            file.writestr("weights", b"some numbers")

    return BestCheckpoint(reporter, save, patience)


def test_only_better_models_are_kept_also_by_the_next_attempt(run: Run) -> None:
    model = tiny_model()
    saved: list[keras.Model] = []
    with StatusWriter(run) as reporter:
        first = keeper(reporter, saved)
        kept = [first.offer(model, e, loss) for e, loss in ((1, 0.5), (2, 0.6))]
        assert kept == [True, False]
        again = keeper(reporter, saved)
        assert (again.loss, again.epoch) == (0.5, 1)
        assert not again.offer(model, 2, 0.55)
        assert not again.offer(model, 2, math.nan)
        assert again.offer(model, 3, 0.4)
        assert reporter.status.best_epoch == 3
    assert len(saved) == 2


def test_a_model_that_was_lost_is_saved_again(run: Run) -> None:
    saved: list[keras.Model] = []
    with StatusWriter(run) as reporter:
        keeper(reporter, saved).offer(tiny_model(), 1, 0.5)
        run.model_path.unlink()
        assert keeper(reporter, saved).offer(tiny_model(), 2, 9.0)


def test_a_damaged_model_is_saved_again(run: Run) -> None:
    with StatusWriter(run) as reporter:
        keeper(reporter, []).offer(tiny_model(), 1, 0.5)
        content = bytearray(run.model_path.read_bytes())
        content[content.index(b"some")] ^= 1
        run.model_path.write_bytes(content)
        assert keeper(reporter, []).loss == math.inf


@pytest.mark.parametrize("content", ["", "{", '{"val_loss": "low"}', "[]", None])
def test_a_damaged_note_on_the_best_is_known_from_the_backup(
    run: Run, content: str | None
) -> None:
    with StatusWriter(run) as reporter:
        keeper(reporter, []).offer(tiny_model(), 3, 0.5)
        note = run.folder / "best.json"
        note.unlink() if content is None else note.write_text(content)
        again = BestCheckpoint(reporter, lambda _: None, 0, Best(0.5, 3))
        assert (again.loss, again.epoch) == (0.5, 3)
        assert read_best(run) == Best(0.5, 3)


def test_any_model_is_better_than_one_that_was_never_validated(run: Run) -> None:
    model = tiny_model()
    with StatusWriter(run) as reporter:
        keeper(reporter, []).keep_unvalidated(model)
        again = keeper(reporter, [])
        assert again.loss == math.inf and again.offer(model, 1, 99.0)


def test_patience_counts_from_the_best_epoch_of_any_attempt(run: Run) -> None:
    model = tiny_model()
    with StatusWriter(run) as reporter:
        keeper(reporter, []).offer(model, 2, 0.5)
        patient = keeper(reporter, [], patience=2)
        patient.set_model(model)
        model.stop_training = False
        patient.on_epoch_end(2, {"val_loss": 0.6})
        assert not model.stop_training
        patient.on_epoch_end(3, {"val_loss": 0.6})
        assert model.stop_training


def test_full_disk_leaves_the_earlier_model(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    save_model(run, model, ["a", "b"], TINY)
    before = run.model_path.read_bytes()

    def full(path: str) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model, "save", full)
    with pytest.raises(OSError, match="No space"):
        save_model(run, model, ["a", "b"], TINY)
    assert run.model_path.read_bytes() == before
    assert not list(run.folder.glob(".new*"))
    assert run.model_facts.class_names == ["a", "b"]
    assert run.model_facts.parameters == model.count_params()


def test_what_an_earlier_model_said_goes_with_it(run: Run) -> None:
    """A run that was stopped, resumed and killed mixed two models in Diagnose."""
    save_model(run, tiny_model(), ["a", "b"], TINY)
    predictions = run.folder / "predictions.csv"
    predictions.write_text("path,patient,split,label,score_a,score_b\n")
    freeze_thresholds(run, Rule(), {"a": 0.5, "b": 0.5})
    assert frozen_thresholds(run) is not None
    save_model(run, tiny_model(1), ["a", "b"], TINY)
    assert not predictions.exists() and frozen_thresholds(run) is None


def test_steps_begin_where_the_attempt_goes_on(run: Run) -> None:
    append_steps(run, [("1.0", "1", str(step), "0.5", "0.5") for step in (1, 2, 3)])
    with StatusWriter(run) as reporter:
        reporter.rewind(2, 0)
        assert reporter.status.step == 2
    assert [row["step"] for row in rows(run.folder / "steps.csv")] == ["1", "2"]
    assert read_json(run.folder / "best.json") is None
