"""Background task: work in a process of its own, which outlives whoever starts it.

It is alive as long as it holds its lock, and tells how far it is in a JSON file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from medmodel.core.environment import python_environment
from medmodel.core.errors import Cancelled, MedModelError, os_reason
from medmodel.core.job import Job
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import open_log, read_json, write_json
from medmodel.language import _

GRACE_SECONDS = 20.0
"""Within which a started process must have taken its lock."""
_WRITE_SECONDS = 0.2
_NICENESS = 10

_ENDED = ("finished", "failed", "stopped")

_processes: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class TaskState:
    """How far a background task is.

    Args:
        phase: "" before the first start, then "starting", whatever the work reports,
            and in the end "finished", "failed" or "stopped".
        done: Finished units of this phase.
        total: All units of this phase; 0 while unknown.
        error: What went wrong, as a sentence; else "".
        folder: What it is about, or the folder that it made; "" if neither is known.
        started: When it was asked for, seconds since 1970; 0 once its process is up.
        running: Whether its process lives, or is about to.
    """

    phase: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    folder: str = ""
    started: float = 0.0
    running: bool = False


@dataclass(frozen=True)
class BackgroundTask:
    """One piece of background work and its files.

    Args:
        arguments: What follows `python -m`: a module that calls `run`, its arguments.
        state_path: JSON file with its `TaskState`.
        lock_path: File that its process locks as long as it lives.
        log_path: What its process prints.
        interrupted: Sentence for a process that ended without a word.
        unusable: Begin of the sentence for a disk that is full or fails.
        folder: What it is about; "" if it makes one.
    """

    arguments: tuple[str, ...]
    state_path: Path
    lock_path: Path
    log_path: Path
    interrupted: str
    unusable: str
    folder: str = ""

    def start(self) -> None:
        """Starts the process, unless it is running already."""
        if self.state().running:
            return
        self._stop_path.unlink(missing_ok=True)
        self.write("starting", started=time.time())
        with open_log(self.log_path.parent, self.log_path.name) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=python_environment(),
                start_new_session=True,
            )
        _processes.append(process)

    def stop(self) -> None:
        """Asks its process to end; it does at the next `Job.check` of its work."""
        if self.state().running:
            self._stop_path.touch()

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked to end it, and it has not ended yet."""
        return self._stop_path.exists()

    def state(self) -> TaskState:
        """How far it is; an error where its process ended without a word."""
        _processes[:] = [p for p in _processes if p.poll() is None]
        alive = locked(self.lock_path)
        # Read after the look at the lock: it may just have ended.
        state = self._read()
        # Either way: the clock may have been put back since.
        age = abs(time.time() - state.started)
        starting = state.phase == "starting" and age < GRACE_SECONDS
        if alive or starting:
            return replace(state, running=True)
        if state.phase not in ("", *_ENDED):
            return replace(state, error=self.interrupted)
        return state

    def write(self, phase: str, **values: Any) -> None:
        """Replaces the state file.

        Args:
            phase: As in `TaskState`.
            **values: Other fields of `TaskState`.
        """
        write_json(self.state_path, {"phase": phase, "folder": self.folder, **values})

    def job(self) -> Job:
        """A job whose progress goes into the state file, and which `stop` gives up."""
        written = 0.0

        def progress(phase: str, done: int, total: int) -> None:
            nonlocal written
            if time.monotonic() - written > _WRITE_SECONDS:
                written = time.monotonic()
                self.write(phase, done=done, total=total)

        return Job(progress, lambda: self.stop_requested)

    def run(self, work: Callable[[], None]) -> None:
        """The life of its process: works, unless another process does already.

        Args:
            work: Ends with `write("finished")`. What it raises ends the process with
                status 1, and stands in the state file as a sentence.
        """
        lock = Lock(self.lock_path)
        if not lock.acquire(wait=1.0):
            return
        os.nice(_NICENESS)
        try:
            work()
        except Cancelled:
            self.write("stopped")
        except MedModelError as error:
            self.write("failed", error=str(error))
            sys.exit(1)
        except OSError as error:
            self.write("failed", error=f"{self.unusable}: {os_reason(error)}.")
            sys.exit(1)
        except BaseException:
            self.write("failed", error=_("There is a mistake in this program."))
            raise
        finally:
            self._stop_path.unlink(missing_ok=True)
            lock.release()

    @property
    def _stop_path(self) -> Path:
        """There from the wish to end it until it has ended."""
        return self.lock_path.with_suffix(".stop")

    def _read(self) -> TaskState:
        """The state file; as before the first start where it is damaged."""
        try:
            values = read_json(self.state_path)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            return TaskState()
        kinds = {field.name: type(field.default) for field in fields(TaskState)}
        sound: dict[str, Any] = {
            name: values[name]
            for name, kind in kinds.items()
            if isinstance(values.get(name), kind)
        }
        return TaskState(**sound)
