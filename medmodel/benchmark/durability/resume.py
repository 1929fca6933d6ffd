"""Row on resuming: a training that was ended somewhere ends as one that never was.

Each case trains a drawn data set once without a break, and once in a process that is
killed (or asked to stop) at a place in the code and then goes on in another process;
some end a second time. MEDMODEL_RESUME_ONLY names the cases to be measured, parted by
semicolons, MEDMODEL_RESUME_LOG a file that gets a line for each event.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import multiprocessing
import os
import shutil
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
from medmodel.core.devices import tensorflow_environment
from medmodel.core.environment import workspace_root
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

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
    "preparing": Place("medmodel.data.decoding.unfinished_array.Journal.add"),
    "pilot": Place("medmodel.training.softmax_head.HeadTrainer.solve"),
    "features": Place("medmodel.training.softmax_head.HeadTrainer.add_features", 2),
    "first step": Place(f"{_CALLBACKS}.on_train_batch_end"),
    "step in epoch 2": Place(f"{_CALLBACKS}.on_train_batch_end", 9),
    "validation": Place(f"{_CALLBACKS}.on_test_batch_end", 3),
    "best model saved": Place("medmodel.training.fitting.save_model"),
    "history written": Place("medmodel.runs.progress.status_writer.append_epoch", 2),
    "epoch 1 over": Place("medmodel.training.backup.Backup.on_epoch_end"),
    "epoch 2 over": Place("medmodel.training.backup.Backup.on_epoch_end", 2),
    "trained": Place("medmodel.training.fitting.mark_trained", before=True),
    "predicting": Place("medmodel.inference.prediction.predict"),
    "evaluating": Place(
        "medmodel.runs.tables.predictions.write_predictions", before=True
    ),
    "measuring": Place("medmodel.training.train.write_reference", before=True),
}
SMALL: dict[str, Any] = {"size": 32, "epochs": 3, "batch_size": 8, "device": "cpu"}
Ends = tuple[str, ...]
"""Places at which one training ends, one after the other."""


@dataclass(frozen=True)
class Case:
    """A training, and where it is to end.

    Args:
        settings: Of the run.
        killed: At each of these.
        stopped: On request, at each of these.
    """

    settings: dict[str, Any]
    killed: tuple[Ends, ...] = ()
    stopped: tuple[Ends, ...] = ()


def _each(*names: str) -> tuple[Ends, ...]:
    return tuple((name,) for name in names)


CASES = {
    "textbook CNN": Case(
        {"recipe": "document", "precision": "float32"},
        (
            *_each("preparing", "first step", "step in epoch 2", "validation"),
            *_each("best model saved", "history written", "epoch 1 over", "trained"),
            *_each("predicting", "evaluating", "measuring"),
            ("step in epoch 2", "first step"),
            ("epoch 1 over", "epoch 1 over"),
        ),
        (*_each("step in epoch 2", "validation"), ("first step", "step in epoch 2")),
    ),
    "compact": Case(
        {"recipe": "compact", "precision": "float32"},
        (
            *_each("step in epoch 2", "history written", "epoch 2 over", "measuring"),
            ("epoch 1 over", "first step"),
        ),
        _each("step in epoch 2", "epoch 1 over"),
    ),
    "mixup and averaged weights": Case(
        {"recipe": "compact", "precision": "float32", "mixup": 0.2, "ema": 0.9},
        _each("step in epoch 2", "epoch 2 over"),
    ),
    "compact, mixed precision": Case(
        {"recipe": "compact", "precision": "mixed_float16", "optimizer": "adamw"},
        _each("epoch 2 over"),
    ),
    "custom": Case(
        {"recipe": "custom", "precision": "float32"},
        (
            *_each("features", "epoch 1 over", "step in epoch 2"),
            ("features", "step in epoch 2"),
        ),
        _each("step in epoch 2"),
    ),
    "instant": Case(
        {"recipe": "instant"},
        (
            *_each("preparing", "features", "predicting", "evaluating"),
            ("features", "features"),
        ),
        _each("features"),
    ),
    "instant, size chosen": Case(
        {"recipe": "instant", "size": 0},
        (*_each("preparing", "pilot"), ("pilot", "features")),
    ),
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
    from medmodel.runs.progress.status_writer import StatusWriter
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
    chosen = os.environ.get("MEDMODEL_RESUME_ONLY", "").split(";")
    with tempfile.TemporaryDirectory() as root:
        folder = draw_images(Path(root, "data", "drawn"))
        places = {"MEDMODEL_WORKSPACE": f"{root}/workspace", "MEDMODEL_DATA": root}
        with mock.patch.dict(os.environ, tensorflow_environment() | places):
            for name in [name for name in chosen if name] or CASES:
                for title, same in _measured(name, folder):
                    (equal if same else different).append(title)
                    _log(title, same)
    count = len(equal) + len(different)
    note = f"{len(equal)} of {count} equal"
    if different:
        note += f"; other results: {', '.join(different)}"
    return [at_least("resume_exact", len(equal) / count, 1.0, "share", note)]


def _measured(name: str, folder: Path) -> Iterator[tuple[str, bool]]:
    """Each event of a case: its title, and whether the result was the same."""
    case = CASES[name]
    config = config_for(dataset=str(folder), **{**SMALL, **case.settings})
    expected = _in_process(config, ())
    for ends, kill in [(e, True) for e in case.killed] + [
        (e, False) for e in case.stopped
    ]:
        events = tuple((place, kill) for place in ends)
        # What others prepared would spare it what it shall do.
        shutil.rmtree(workspace_root() / "prepared", ignore_errors=True)
        ended = "killed" if kill else "stopped"
        title = f"{name}: {ended} at {', then at '.join(ends)}"
        yield title, _in_process(config, events) == expected


def _log(title: str, same: bool) -> None:
    """Adds a line to the log, if there is to be one."""
    path = os.environ.get("MEDMODEL_RESUME_LOG")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{'equal' if same else 'OTHER'}  {title}\n")


def _in_process(config: TrainConfig, events: tuple[tuple[str, bool], ...]) -> object:
    """What a training comes to in processes of its own, ended at each event."""
    run = RunStore().create(config)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["medmodel.training.train"])
    for event in events:
        process = context.Process(target=_attempt, args=(run.folder, event))
        process.start()
        process.join()
        if process.exitcode != (-signal.SIGKILL if event[1] else 0):
            return f"ended by itself: {process.exitcode}"
        run.clear_stop()
    answers = context.SimpleQueue()
    process = context.Process(target=_attempt, args=(run.folder, None, answers))
    process.start()
    process.join()
    return answers.get() if process.exitcode == 0 else f"{process.exitcode}"


def _attempt(folder: Path, event: tuple[str, bool] | None, answers: Any = None) -> None:
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
