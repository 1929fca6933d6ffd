"""Row on resuming: a training that was ended somewhere ends as one that never was.

Each case trains a drawn data set once without a break, and once in a process that is
killed (or asked to stop) at a place in the code and then goes on in another process.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from medmodel.benchmark import Measurement, at_least
from medmodel.core.config import TrainConfig, config_for
from medmodel.runs.run import Run, RunStatus, RunStore

_VOLATILE = ("attempt", "time")


@dataclass(frozen=True)
class Place:
    """A function of the program, at one call of which a training is ended.

    Args:
        target: Its full name.
        call: Which call, from 1.
        before: Whether the end comes before the call instead of after it.
    """

    target: str
    call: int = 1
    before: bool = False


_CALLBACKS = "medmodel.training.callbacks.StatusCallback"
PLACES: dict[str, Place] = {
    "preparing": Place("medmodel.data.prepared._Journal.add"),
    "pilot": Place("medmodel.training.softmax_head.HeadTrainer.solve"),
    "features": Place("medmodel.training.softmax_head.HeadTrainer.add_features", 2),
    "first step": Place(f"{_CALLBACKS}.on_train_batch_end"),
    "step in epoch 2": Place(f"{_CALLBACKS}.on_train_batch_end", 9),
    "validation": Place(f"{_CALLBACKS}.on_test_batch_end", 3),
    "best model saved": Place("medmodel.training.fitting.save_model"),
    "history written": Place("medmodel.runs.tables.append_epoch", 2),
    "epoch 1 over": Place("medmodel.training.backup.Backup.on_epoch_end"),
    "epoch 2 over": Place("medmodel.training.backup.Backup.on_epoch_end", 2),
    "trained": Place("medmodel.training.fitting.mark_trained", before=True),
    "evaluating": Place("medmodel.runs.tables.write_predictions", before=True),
    "measuring": Place("medmodel.training.train.write_reference", before=True),
}
SMALL: dict[str, Any] = {"size": 32, "epochs": 3, "batch_size": 8, "device": "cpu"}
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    # name -> (settings, killed at, stopped at)
    "textbook CNN": (
        {"recipe": "document", "precision": "float32"},
        ("preparing", "first step", "step in epoch 2", "validation", "trained")
        + ("best model saved", "history written", "epoch 1 over", "evaluating"),
        ("step in epoch 2", "validation"),
    ),
    "compact": (
        {"recipe": "compact", "precision": "float32"},
        ("step in epoch 2", "history written", "epoch 2 over", "measuring"),
        ("step in epoch 2", "epoch 1 over"),
    ),
    "compact, mixed precision": (
        {"recipe": "compact", "precision": "mixed_float16", "optimizer": "adamw"},
        ("epoch 2 over",),
        (),
    ),
    "custom": (
        {"recipe": "custom", "precision": "float32"},
        ("features", "epoch 1 over"),
        ("step in epoch 2",),
    ),
    "instant": (
        {"recipe": "instant"},
        ("features", "evaluating"),
        ("features",),
    ),
    "instant, size chosen": ({"recipe": "instant", "size": 0}, ("pilot",), ()),
}


class Killed(BaseException):
    """Stands for SIGKILL in a process that shall live on."""


@contextlib.contextmanager
def ended_at(place: Place, end: Callable[[], object]) -> Iterator[None]:
    """Calls `end` at a place in the code, once."""
    owner, _, name = place.target.rpartition(".")
    holder = resolve_name(owner)
    original, calls = getattr(holder, name), 0

    def ending(*args: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == place.call and place.before:
            end()
        result = original(*args, **settings)
        if calls == place.call and not place.before:
            end()
        return result

    with mock.patch.object(holder, name, ending):
        yield


def train_once(run: Run) -> RunStatus:
    """One attempt in this process; last_state tells how its last epoch ended."""
    from medmodel.runs.status_writer import StatusWriter
    from medmodel.training import backup, fitting, train

    def remove_backup(of: Run) -> None:
        (newest,) = (of.folder / backup.FOLDER).glob("epoch_*")
        with np.load(newest) as arrays:
            names = sorted(name for name in arrays if name != "progress")
            state = digest([arrays[name] for name in names])
        (of.folder / "last_state").write_text(state)
        backup.remove_backup(of)

    with (
        mock.patch.object(fitting, "remove_backup", remove_backup),
        StatusWriter(run) as reporter,
    ):
        return train.train(run, reporter)


def outcome(run: Run) -> dict[str, object]:
    """All that two equal trainings have in common, name -> value."""
    import keras

    with run.history_path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in _VOLATILE:
            del row[name]
    model = keras.models.load_model(run.model_path, compile=False)
    last, best = run.folder / "last_state", run.folder / "best.json"
    return {
        "weights": digest(model.get_weights()),
        "last epoch's state": last.read_text() if last.exists() else "",
        "best epoch": best.read_text() if best.exists() else "",
        "history": rows,
        "predictions": run.predictions_path.read_bytes(),
        "model facts": run.model_facts,
    }


def digest(arrays: list[np.ndarray]) -> str:
    """SHA-256 of arrays' bytes."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def draw_images(folder: Path, images_per_class: int = 24) -> Path:
    """Draws two classes that overlap: noise, a little brighter in one of them."""
    random = np.random.default_rng(0)
    for name, level in (("dark", 110), ("light", 135)):
        (folder / name).mkdir(parents=True)
        for number in range(images_per_class):
            pixels = random.normal(level, 40, (32, 32)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}_{number:03}.png")
    return folder


def resume_exact() -> list[Measurement]:
    """Share of interrupted trainings that end as the uninterrupted one, to the bit."""
    equal: list[str] = []
    different: list[str] = []
    with tempfile.TemporaryDirectory() as root:
        folder = draw_images(Path(root, "data", "drawn"))
        places = {"MEDMODEL_WORKSPACE": f"{root}/workspace", "MEDMODEL_DATA": root}
        with mock.patch.dict(os.environ, places):
            for name, (settings, kills, stops) in CASES.items():
                config = config_for(dataset=str(folder), **{**SMALL, **settings})
                expected = _in_process(config, None)
                events = [(place, True) for place in kills]
                events += [(place, False) for place in stops]
                for place, kill in events:
                    title = f"{name}: {'killed' if kill else 'stopped'} at {place}"
                    same = _in_process(config, (place, kill)) == expected
                    (equal if same else different).append(title)
    count = len(equal) + len(different)
    note = f"{len(equal)} of {count} equal"
    if different:
        note += f"; other results: {', '.join(different)}"
    return [at_least("resume_exact", len(equal) / count, 1.0, "share", note)]


def _in_process(config: TrainConfig, event: tuple[str, bool] | None) -> object:
    """What a training comes to in processes of its own, ended once at an event."""
    run = RunStore().create(config)
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    for attempt_event in [event, None] if event else [None]:
        arguments = (run.folder, attempt_event, answers)
        process = context.Process(target=_attempt, args=arguments)
        process.start()
        if attempt_event is None:
            process.join()
            return answers.get() if process.exitcode == 0 else f"{process.exitcode}"
        process.join()
        if process.exitcode != (-signal.SIGKILL if attempt_event[1] else 0):
            return f"ended by itself: {process.exitcode}"
        run.clear_stop()
    raise AssertionError("the last attempt has no event")


def _attempt(folder: Path, event: tuple[str, bool] | None, answers: Any) -> None:
    run = Run(folder)
    if event is None:
        if train_once(run) is not RunStatus.DONE:
            raise SystemExit(3)
        answers.put(outcome(run))
        return
    name, kill = event
    end = _kill if kill else run.request_stop
    with ended_at(PLACES[name], end):
        train_once(run)
    if not run.stop_requested:
        raise SystemExit(4)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
