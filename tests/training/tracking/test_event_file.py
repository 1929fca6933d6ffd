"""TensorBoard events hold what the history holds, and never touch a training."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from medmodel.core.config import config_for
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import train
from medmodel.training.tracking.event_file import FOLDER, EventFile


def trained(folder: Path, **changes: Any) -> Run:
    settings = {"size": 28, "epochs": 3, "model": "document_cnn", "batch_size": 8}
    run = RunStore().create(config_for("document", str(folder), **settings | changes))
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.DONE
        reporter.close(state=RunStatus.DONE, message=reporter.remark)
    return run


def events(run: Run) -> list[Any]:
    (path,) = (run.folder / FOLDER).iterdir()
    assert "tfevents" in path.name
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [tf.compat.v1.Event.FromString(record) for record in records]


def test_events_are_the_history(class_folders: Path) -> None:
    run = trained(class_folders, tensorboard=True)
    first, start, *epochs = events(run)
    assert first.file_version == "brain.Event:2"
    assert start.session_log.status == tf.compat.v1.SessionLog.START
    with run.history_path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [event.step for event in epochs] == [1, 2, 3]
    names = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    for event, row in zip(epochs, rows, strict=True):
        values = {v.tag: v.simple_value for v in event.summary.value}
        assert set(values) == names
        for name in names:
            assert values[name] == pytest.approx(float(row[name]), rel=1e-4)


def test_none_are_written_unasked(class_folders: Path) -> None:
    assert not (trained(class_folders).folder / FOLDER).exists()


def test_a_failure_is_told_and_the_training_is_whole(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "_opened", full)
    run = trained(class_folders, tensorboard=True)
    assert "TensorBoard events could not be written" in run.status.message
    assert run.predictions_path.exists()


def test_a_second_attempt_begins_with_its_first_epoch(class_folders: Path) -> None:
    run = RunStore().create(config_for("instant", str(class_folders)))
    writer = EventFile(run)
    writer.write({"epoch": 7, "step": 3, "loss": 0.5, "val_loss": None, "time": 1.0})
    writer.close()
    _first, start, event = events(run)
    assert start.step == event.step == 7
    assert [value.tag for value in event.summary.value] == ["loss"]
