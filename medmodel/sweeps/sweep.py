"""Sweeps on disk: a folder each, and the process that proposes their trials.

Below `sweeps/<id>` lie what varies (`sweep.json`: `SweepConfig`), what was tried
(`trials.json`: `Trials`), Optuna's own storage (`trials.db`, SQLite), and `end` once
somebody asked to end it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medmodel.core import audit
from medmodel.core.control_characters import one_line
from medmodel.core.environment import workspace_root
from medmodel.core.errors import FileError, RunError
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.core.storage import read_as, write_json
from medmodel.language import N_, _, ngettext
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.checked import checksum_of
from medmodel.sweeps.search_space import SweepConfig

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


@dataclass(frozen=True)
class Trial:
    """One combination of settings.

    Args:
        number: From 0, in the order of proposing.
        values: Setting -> value.
        run: Id of its run.
        state: Of the run, or `pruned` where it was ended early.
        val_loss: The lowest validation loss; None before the first epoch.
        val_accuracy: Validation accuracy of that epoch, 0 to 1.
        seconds: From its start to its end, or until now.
        gain_in_errors: Of a candidate of "Best in … minutes" by how many standard
            errors its validation loss is lower than the first one's; None where
            nothing was compared.
        split: Begin of the checksum of its table of images, which names the digest of
            each one's pixels; "" where that is not known.
    """

    number: int
    values: Mapping[str, Any]
    run: str
    state: str
    val_loss: float | None = None
    val_accuracy: float | None = None
    seconds: float = 0.0
    gain_in_errors: float | None = None
    split: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in (RunStatus.QUEUED.value, RunStatus.RUNNING.value)


@dataclass(frozen=True)
class Trials:
    """What trials.json holds.

    Args:
        trials: In the order of proposing.
        importance: Setting -> share of the differences in validation loss that it
            explains, 0 to 1; empty while there are too few trials.
        no_ensemble: Why "Best in … minutes" made no ensemble; empty where it made one
            or has not come to it.
    """

    trials: list[Trial] = field(default_factory=list)
    importance: Mapping[str, float] = field(default_factory=dict)
    no_ensemble: str = ""


@dataclass(frozen=True)
class Sweep:
    """One sweep's folder.

    Args:
        folder: The folder; its name is the sweep's id.
    """

    folder: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config(self) -> SweepConfig:
        """What varies.

        Raises:
            RunError: It is lost or damaged.
        """
        try:
            config = read_as(self.folder / "sweep.json", SweepConfig)
        except FileError as error:
            raise RunError(str(error)) from error
        if config is None:
            raise RunError(_("There is no sweep {id} any more.", id=self.id))
        return config

    @property
    def title(self) -> str:
        """Its name, or what varies on which data set."""
        config = self.config
        if name := one_line(config.name):
            return name
        place = Path(config.base.dataset).name
        if config.minutes:
            return ngettext(
                "Best in {count:,} minute on {dataset}",
                "Best in {count:,} minutes on {dataset}",
                config.minutes,
                dataset=place,
            )
        if set(config.space) == {"recipe"}:
            return _("All recipes on {dataset}", dataset=place)
        if config.compares_encoders:
            return _("Encoders on {dataset}", dataset=place)
        return _("Sweep on {dataset}", dataset=place)

    @property
    def planned(self) -> int:
        """Trials that are worth trying: no more than there are combinations."""
        config = self.config
        size = config.grid_size
        if config.minutes:  # one more: the ensemble
            return config.trials
        return config.trials if size is None else min(config.trials, size)

    @property
    def results(self) -> Trials:
        """What was tried so far.

        Raises:
            FileError: trials.json is damaged.
        """
        return read_as(self.folder / "trials.json", Trials) or Trials()

    @property
    def task(self) -> BackgroundTask:
        """The process that proposes trials."""
        return BackgroundTask(
            arguments=("medmodel.sweeps.driver", str(self.folder)),
            state_path=self.folder / "driver.json",
            lock_path=self.folder / "driver.lock",
            log_path=self.folder / "driver.txt",
            interrupted=N_("The process that proposes trials was killed."),
            unusable=N_("The folder of the sweep cannot be written"),
            folder=str(self.folder),
        )

    @property
    def state(self) -> TaskState:
        """Whether it is being driven, and what went wrong."""
        return self.task.state()

    @property
    def end_requested(self) -> bool:
        """Whether somebody asked to end it."""
        return (self.folder / "end").exists()


def start_sweep(config: SweepConfig) -> Sweep:
    """Makes a sweep and starts it.

    Raises:
        ConfigError: One of its values is wrong.
        OSError: The disk is full or fails.
    """
    sweep = make_sweep(config)
    sweep.task.start()
    return sweep


def make_sweep(config: SweepConfig) -> Sweep:
    """Makes a sweep that somebody will drive.

    Raises:
        ConfigError: One of its values is wrong.
        OSError: The disk is full or fails.
    """
    config = replace(config, created=time.time())
    config.check()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    sweep = Sweep(_home() / f"{stamp}-{secrets.token_hex(3)}")
    sweep.folder.mkdir(parents=True)
    write_json(sweep.folder / "sweep.json", config)
    audit.record("sweep", sweep=sweep.id, trials=config.trials)
    return sweep


def get_sweep(sweep_id: str) -> Sweep:
    """The sweep with this id.

    Raises:
        RunError: There is none.
    """
    sweep = Sweep(_home() / sweep_id)
    if not _ID.fullmatch(sweep_id) or not (sweep.folder / "sweep.json").is_file():
        raise RunError(_("There is no sweep {id} any more.", id=sweep_id[:40]))
    return sweep


def list_sweeps() -> list[Sweep]:
    """All sweeps, newest first; damaged ones are left out."""
    if not _home().is_dir():
        return []
    folders = sorted(p for p in _home().iterdir() if _ID.fullmatch(p.name))
    return [Sweep(p) for p in reversed(folders) if (p / "sweep.json").is_file()]


def keep_going() -> None:
    """Starts the process of every sweep that a restart has interrupted."""
    for sweep in list_sweeps():
        state = sweep.state
        if not state.running and state.phase not in ("finished", "failed"):
            sweep.task.start()


def end_sweep(sweep: Sweep) -> None:
    """Proposes nothing more, and stops the trials that wait or work."""
    (sweep.folder / "end").touch()
    stop_trials(sweep.results.trials, RunStore())
    audit.record("end_sweep", sweep=sweep.id)


def stop_trials(trials: Iterable[Trial], store: RunStore) -> None:
    """Stops every trial that waits, and asks those at work that were not asked yet."""
    for trial in trials:
        if trial.finished:
            continue
        with contextlib.suppress(RunError, FileError):  # it has just ended
            run = store.get(trial.run)
            # One that a cluster lost waits again, however long ago it was asked.
            waits = run.status.state is RunStatus.QUEUED
            if waits or not run.stop_requested or queue.stop_overdue(run):
                queue.stop(run)


def _home() -> Path:
    return workspace_root() / "sweeps"


def split_of(run: Run) -> str:
    """Begin of the checksum of a run's table of images; "" where it is not known.

    Raises:
        FileError: The file of the checksums was changed.
    """
    split = checksum_of(run, run.split_path)
    return split.sha256[:16] if split else ""
