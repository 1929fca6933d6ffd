"""Runs on disk: one folder of small readable files each, and the store of all runs.

Only evidence decides whether a run is alive: its worker holds the lock of the folder.
A run whose status says running while nobody holds the lock was interrupted.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.environment import workspace_root
from medmodel.core.errors import FileError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import (
    Content,
    Lock,
    locked,
    read_as,
    read_json,
    write_json,
)


class RunStatus(str, Enum):
    """State of a run in its life cycle."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """Whether the run still waits or works."""
        return self in (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True)
class Failure:
    """Why a run failed, in words for the person who started it.

    Args:
        kind: out_of_memory, data, not_a_number, disk_full, killed or bug.
        message: What happened.
        advice: What to do about it.
    """

    kind: str
    message: str
    advice: str


@dataclass(frozen=True)
class Status:
    """What status.json holds; replaced as a whole, never edited.

    Args:
        state: Value of `RunStatus`.
        phase: What is being done: waiting, checking, preparing, features, training,
            evaluating, finished.
        message: The same as one sentence.
        done: Finished units of this phase (images, steps).
        total: Units of this phase; 0 while unknown.
        epoch: Epochs finished.
        epochs: Epochs planned; 0 while unknown.
        step: Steps finished since training began.
        steps: Steps planned; 0 while unknown.
        best_epoch: Epoch of the best validation loss so far, 1-based; 0 if none.
        seconds_left: Estimated seconds until the end; None while unknown.
        device: What computes, in words.
        precision: float32, mixed_bfloat16 or mixed_float16.
        usage: Processor, memory and GPU use as name -> text.
        heartbeat: Time of the last sign of life, seconds since 1970.
        created: When the run was asked for.
        started: When a worker took it; 0 before.
        ended: When it ended; 0 before.
        attempt: Starts so far (1 on the first).
        failure: Why it failed, else None.
    """

    state: RunStatus
    phase: str = "waiting"
    message: str = "Waiting for its turn."
    done: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    best_epoch: int = 0
    seconds_left: float | None = None
    device: str = ""
    precision: str = ""
    usage: Mapping[str, str] = field(default_factory=dict)
    heartbeat: float = 0.0
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    attempt: int = 0
    failure: Failure | None = None


@dataclass(frozen=True)
class ModelFacts:
    """What model.json holds: all that is needed to feed best.keras and read it.

    Args:
        class_names: Class of each output, in order.
        preprocessing: How an image becomes the model's input.
        heatmap_layers: Layers whose activations Grad-CAM looks at.
        parameters: Number of weights.
    """

    class_names: list[str]
    preprocessing: Preprocessing
    heatmap_layers: list[str]
    parameters: int


class Run:
    """One run's folder.

    Args:
        folder: The folder; its name is the run's id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        """The folder's name: time of creation and a few random characters."""
        return self.folder.name

    @property
    def config(self) -> TrainConfig:
        """Settings from config.json."""
        return self._read("config.json", TrainConfig)

    @property
    def title(self) -> str:
        """Its name, or recipe and data set where it has none."""
        return self.config.title

    @property
    def status(self) -> Status:
        """status.json, with `interrupted` where the worker is gone."""
        status = self._read("status.json", Status)
        if status.state is RunStatus.RUNNING and not self.alive:
            # The worker may have ended between the two looks: read once more.
            status = self._read("status.json", Status)
            if status.state is RunStatus.RUNNING:
                status = replace(
                    status,
                    state=RunStatus.INTERRUPTED,
                    failure=Failure(
                        "killed",
                        "The training process ended without a word: it was killed, "
                        "ran out of memory, or the machine went down.",
                        "Nothing that was saved is lost: press Resume.",
                    ),
                )
        return status

    def _read(self, name: str, kind: type[Content]) -> Content:
        try:
            content = read_as(self.folder / name, kind)
        except OSError as error:
            raise RunError(
                f"The {name} of run {self.id} cannot be read: {error.strerror}. See "
                "whose it is, and who may read it."
            ) from error
        except FileError as error:
            raise RunError(f"The {name} of run {self.id} is damaged.") from error
        if content is None:
            raise RunError(f"The run {self.id} has no {name} any more.")
        return content

    @property
    def alive(self) -> bool:
        """Whether a worker holds this run."""
        return locked(self.lock.path)

    @property
    def lock(self) -> Lock:
        """The lock that the run's worker holds from start to end."""
        return Lock(self.folder / "lock")

    @property
    def notes_lock(self) -> Lock:
        """Held while people's notes and choices on a run change: none may be lost.

        Not in the run's folder, which may be gone.
        """
        return Lock(self.folder.parent.parent / "notes.lock")

    @property
    def model_facts(self) -> ModelFacts:
        """How to feed and read the run's best model.

        Raises:
            RunError: The run has no model yet.
        """
        if not self.model_path.exists() or not (self.folder / "model.json").exists():
            raise RunError(f"The run {self.title} has no trained model yet.")
        return self._read("model.json", ModelFacts)

    @property
    def model_path(self) -> Path:
        """The best model so far: uint8 pixels in, probabilities out."""
        return self.folder / "best.keras"

    @property
    def predictions_path(self) -> Path:
        """Table of validation and test images with their scores, see `tables`."""
        return self.folder / "predictions.csv"

    @property
    def split_path(self) -> Path:
        """Table of all images: training, validation or test."""
        return self.folder / "split.csv"

    @property
    def history_path(self) -> Path:
        """Table of the finished epochs."""
        return self.folder / "history.csv"

    @property
    def steps_path(self) -> Path:
        """Table of training steps: loss and accuracy."""
        return self.folder / "steps.csv"

    @property
    def tested_model(self) -> str:
        """Id of the run whose model this external validation tests; empty if none."""
        values = read_json(self.folder / "external.json")
        return str(values["model"]) if isinstance(values, dict) else ""

    @property
    def class_mapping(self) -> dict[str, str]:
        """Class there -> class of the model, of an external validation; else empty."""
        values = read_json(self.folder / "external.json")
        mapping = values.get("mapping", {}) if isinstance(values, dict) else {}
        return {str(there): str(here) for there, here in mapping.items()}

    def write_model_facts(self, facts: ModelFacts) -> None:
        """Writes model.json; to be called before best.keras is first saved."""
        write_json(self.folder / "model.json", facts)

    def write_status(self, status: Status) -> None:
        """Replaces status.json."""
        write_json(self.folder / "status.json", status)

    def request_stop(self) -> None:
        """Asks the worker to stop after the current step."""
        (self.folder / "stop").touch()

    def clear_stop(self) -> None:
        """Forgets an earlier request to stop."""
        (self.folder / "stop").unlink(missing_ok=True)

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the worker to stop."""
        return (self.folder / "stop").exists()


def _there(path: Path) -> bool:
    """Whether a file exists, also one that this user may not look at."""
    try:
        os.stat(path)  # noqa: PTH116 (thousands of them)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True


class RunStore:
    """All runs of a workspace.

    Args:
        root: The workspace; default as in `workspace_root`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or workspace_root()
        self.folder = self.root / "runs"

    def create(
        self, config: TrainConfig, beside: Mapping[str, Any] | None = None
    ) -> Run:
        """Makes a queued run.

        Args:
            config: Its settings.
            beside: More JSON files of its folder, name -> content.

        Raises:
            ConfigError: A setting is wrong.
            RunError: The disk is full or the workspace cannot be written.
        """
        config.check()
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        # Parts of the second first: runs asked for at once keep their order.
        name = f"{stamp}-{int(now % 1 * 4096):03x}{secrets.token_hex(2)[:3]}"
        # A folder whose name starts with a dot is not listed: readers never see a
        # run without its files.
        hidden = self.folder / f".{name}"
        try:
            hidden.mkdir(parents=True)
            write_json(hidden / "config.json", config)
            for file, content in (beside or {}).items():
                write_json(hidden / file, content)
            status = Status(RunStatus.QUEUED, created=now, epochs=config.epochs)
            Run(hidden).write_status(status)
            hidden.rename(self.folder / name)
        except OSError as error:
            shutil.rmtree(hidden, ignore_errors=True)
            raise RunError(
                f"The run cannot be written to {self.folder}: {error.strerror}. Free "
                "some space, or see who may write there."
            ) from error
        return Run(self.folder / name)

    def get(self, run_id: str) -> Run:
        """The run with this id.

        Raises:
            RunError: The id is malformed or there is no such run.
        """
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", run_id):
            raise RunError("That is not the id of a run.")
        run = Run(self.folder / run_id)
        if not _there(run.folder / "status.json"):
            raise RunError(f"There is no run {run_id}: it may have been deleted.")
        return run

    def list(self) -> list[Run]:
        """All runs, newest first."""
        if not self.folder.is_dir():
            return []
        names = (p for p in self.folder.iterdir() if not p.name.startswith("."))
        folders = (p for p in names if _there(p / "status.json"))
        return [Run(p) for p in sorted(folders, reverse=True)]

    def delete(self, run: Run) -> None:
        """Removes a run that is not being trained.

        Raises:
            RunError: A worker holds it, or it is gone already.
        """
        if not run.folder.is_dir():
            raise RunError(f"There is no run {run.id} any more.")
        lock = run.lock
        if not lock.acquire():
            raise RunError("This run is being trained: stop it first.")
        try:
            hidden = self.folder / f".deleted-{run.id}"
            run.folder.rename(hidden)
        finally:
            lock.release()
        # What cannot be removed now goes with the leftovers.
        shutil.rmtree(hidden, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Removes what is left of deleted runs, as where the process was killed."""
        for hidden in self.folder.glob(".deleted-*"):
            shutil.rmtree(hidden, ignore_errors=True)
