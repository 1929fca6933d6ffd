"""Status writer: status, steps and epochs of a run, written while it is trained.

The training thread only puts values down here; two threads write and measure, so
that a slow disk or a slow driver never holds a training step.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import psutil

from medmodel.core import devices
from medmodel.core.job import Job
from medmodel.core.regular_files import open_for_writing
from medmodel.core.storage import remove_temporaries
from medmodel.language import N_, _
from medmodel.runs.progress.time_left import TimeLeft
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import (
    append_epoch,
    append_steps,
    rewind_history,
    rewind_steps,
)

LOOK_SECONDS = 0.05
FLUSH_SECONDS = 0.1
STATUS_SECONDS = 0.2
HEARTBEAT_SECONDS = 1.0
USAGE_SECONDS = 2.0
# Space that is set aside, so that a run on a full disk can still say so.
RESERVE_BYTES = 64 * 1024
WRITTEN = (
    *("status.json", "split.csv", "checksums.json", "environment.json", "steps.csv"),
    *("history.csv", "best.json", "best.keras", "model.json", "copies.csv"),
    *("predictions.csv", "segmentation.csv", "findings.csv", "refit_validation.csv"),
    *("watched.json", "watched.csv", "instant.json", "review_scores.csv"),
    *("reference.npz", "usual.npz", "worker.json", "rates.json"),
    *("encoder.json", "encoder_licence.txt", "mlflow.json"),
)
"""What the process writes that trains a run, and no other."""


_SENTENCES = {
    "checking": (
        N_("Checking the images."),
        N_("Checking the images: {done:,} of {total:,}."),
    ),
    "preparing": (
        N_("Preparing the images."),
        N_("Preparing the images: {done:,} of {total:,}."),
    ),
    "pilot": (
        N_("Choosing the image size."),
        N_("Choosing the image size: {done:,} of {total:,}."),
    ),
    "features": (
        N_("Computing features."),
        N_("Computing features: {done:,} of {total:,}."),
    ),
    "training": (
        N_("Training."),
        N_("Training: {done:,} of {total:,}."),
    ),
    "members": (
        N_("Putting the members together."),
        N_("Putting the members together: {done:,} of {total:,}."),
    ),
    "comparing": (
        N_("Looking for copies of the model's own images."),
        N_("Looking for copies of the model's own images: {done:,} of {total:,}."),
    ),
    "reference": (
        N_("Measuring what familiar images look like."),
        N_("Measuring what familiar images look like: {done:,} of {total:,}."),
    ),
    "testing": (
        N_("Testing the model on the images."),
        N_("Testing the model on the images: {done:,} of {total:,}."),
    ),
    "predicting": (
        N_("Asking the model about the images."),
        N_("Asking the model about the images: {done:,} of {total:,}."),
    ),
    "copies": (
        N_("Comparing test images with training images."),
        N_("Comparing test images with training images: {done:,} of {total:,}."),
    ),
    "evaluating": (
        N_("Evaluating on validation and test images."),
        N_("Evaluating on validation and test images: {done:,} of {total:,}."),
    ),
    "waiting for another run to time the same steps": (
        N_("Waiting for another run to time the same steps."),
        N_("Waiting for another run to time the same steps: {done:,} of {total:,}."),
    ),
}
"""Phase -> what is said of it, and with how much of it is done."""


class StatusWriter:
    """Writes status.json, steps.csv and history.csv of one run.

    Use as a context manager, or call `close` at the end. Beats once a second from
    its own thread, also while the training thread is busy.

    Args:
        run: The run; its lock must be held by this process.

    Attributes:
        on_epoch: Called with every finished epoch, as `epoch` is.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._status = run.status
        self._changed = False
        self._written = 0.0
        self._steps: list[tuple[Any, ...]] = []
        self._steps_error: OSError | None = None
        self._stop_seen = run.stop_requested
        self._looked = time.monotonic()
        self._phase_started = time.monotonic()
        self._plan: TimeLeft | None = None
        self.on_epoch: list[Callable[[Mapping[str, Any]], None]] = []
        self._progress_message = self._status.message
        self._state_lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._closing = threading.Event()
        self._reserve = run.folder / ".reserve"
        remove_temporaries(run.folder, WRITTEN)
        self._set_space_aside()
        self._threads = [
            threading.Thread(target=self._write_loop, name="reporter", daemon=True),
            threading.Thread(target=self._measure_loop, name="usage", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def job(self) -> Job:
        """This writer as a job: takes progress, cancelled once a stop was requested."""
        return Job(self.progress, lambda: self.stop_requested)

    @property
    def status(self) -> Status:
        """The run's status, perhaps newer than on the disk."""
        return self._status

    @property
    def remark(self) -> str:
        """The last message, if it was more than progress, which the end outdates."""
        message = self._status.message
        return "" if message == self._progress_message else message

    def update(self, **changes: Any) -> None:
        """Merges fields into the status.

        A change of phase or state is on disk when this returns; anything else is
        within 0.2 seconds.

        Args:
            **changes: Fields of `runs.Status`.
        """
        with self._state_lock:
            before = self._status
            self._status = replace(before, **changes)
            self._changed = True
            moved = (self._status.phase, self._status.state) != (
                before.phase,
                before.state,
            )
            if self._status.phase != before.phase:
                self._phase_started = time.monotonic()
        if moved:
            self._try_to_write_status()

    def progress(self, phase: str, done: int, total: int) -> None:
        """Reports the progress of a phase; message and time left follow from it.

        Args:
            phase: See `Status.phase`.
            done: Finished units.
            total: All units; 0 while unknown.
        """
        changes: dict[str, Any] = {"seconds_left": None}
        if self._plan is not None:
            with self._state_lock:
                left, share = self._plan.progress(phase, done, total)
            place, parts = self._plan.place + 1, len(self._plan.parts)
            changes = {"seconds_left": left, "share": share}
            changes |= {"part": place, "parts": parts}
        elif phase == self._status.phase and 0 < done <= total:
            spent = time.monotonic() - self._phase_started
            changes["seconds_left"] = spent / done * (total - done)
        self._progress_message = message = _sentence(phase, done, total)
        self.update(phase=phase, done=done, total=total, message=message, **changes)

    def follow(self, plan: TimeLeft) -> None:
        """From now on time left and share done are those of a plan of all phases."""
        self._plan = plan

    def step(self, *, step: int, epoch: int, loss: float, metric: float) -> None:
        """Adds a point to steps.csv; on disk within 0.1 seconds.

        Args:
            step: Steps finished since training began.
            epoch: The epoch this step belongs to, 1-based.
            loss: Training loss.
            metric: Training accuracy, or Dice of a segmentation, 0 to 1.

        Raises:
            OSError: Earlier points could not be written (disk full).
        """
        if self._steps_error is not None:
            raise self._steps_error
        now = f"{time.time():.3f}"
        self._steps.append((now, epoch, step, f"{loss:.6g}", f"{metric:.6g}"))
        with self._state_lock:
            self._status = replace(self._status, step=step)
            self._changed = True

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Adds a finished epoch to history.csv and to the status.

        Args:
            row: Values by the names of `curves.EPOCH_COLUMNS`; `attempt` and `time` are
                filled in, others that are missing stay empty.
        """
        defaults = {"attempt": self._status.attempt, "time": round(time.time(), 3)}
        values = {**defaults, **row}
        self._flush_steps()
        append_epoch(self.run, values)
        self.update(epoch=int(values["epoch"]))
        for told in self.on_epoch:
            told(values)

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked to stop; looks at the disk every 50 ms at most."""
        now = time.monotonic()
        if not self._stop_seen and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._stop_seen = self.run.stop_requested
        return self._stop_seen

    def close(self, **changes: Any) -> None:
        """Writes what is left and the last status, and ends the threads.

        Args:
            **changes: As in `update`: state, message, failure and so on.
        """
        if self._plan is not None and changes.get("state") is RunStatus.DONE:
            self._plan.finish()
        self._closing.set()
        self._threads[0].join()
        with self._state_lock:
            self._status = replace(self._status, **changes, heartbeat=time.time())
        self._reserve.unlink(missing_ok=True)
        self._try_to_flush_steps()
        self._write_status()

    def __enter__(self) -> StatusWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closing.is_set():
            self.close()

    def _set_space_aside(self) -> None:
        with (
            contextlib.suppress(OSError),  # Then there is nothing to set aside.
            open_for_writing(self.run.folder, self._reserve.name) as file,
        ):
            file.write(b"\xff" * RESERVE_BYTES)

    def _write_loop(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            self._try_to_flush_steps()
            age = time.monotonic() - self._written
            if age >= HEARTBEAT_SECONDS or (self._changed and age >= STATUS_SECONDS):
                self._try_to_write_status()

    def _measure_loop(self) -> None:
        process = psutil.Process()
        process.cpu_percent()  # The first call only starts the clock.
        while not self._closing.wait(USAGE_SECONDS):
            self.update(usage=devices.usage(process))

    def _try_to_write_status(self) -> None:
        """Like `_write_status`, but a full disk only makes the status older.

        Nothing depends on one status in the middle, the next second tries again, and
        an error here would hide the one that the run itself is about to meet.
        """
        with contextlib.suppress(OSError):
            self._write_status()

    def _write_status(self) -> None:
        with self._file_lock:
            with self._state_lock:
                self._changed = False
                self._status = replace(self._status, heartbeat=time.time())
                if self._plan is not None and self._status.state is RunStatus.RUNNING:
                    # Also while a phase tells nothing for long.
                    left, share = self._plan.now()
                    self._status = replace(self._status, seconds_left=left, share=share)
                status = self._status
            if status.state is RunStatus.RUNNING and self.stop_requested:
                # The first step of a network may take long: nobody shall press again.
                stopping = N_("Stopping.")
                status = replace(status, message=f"{stopping} {status.message}")
            self._written = time.monotonic()
            self.run.write_status(status)

    def _try_to_flush_steps(self) -> None:
        try:
            self._flush_steps()
        except OSError as error:
            self._steps_error = error

    def rewind(self, step: int, epoch: int) -> None:
        """Removes what lies behind, where training goes on or begins anew.

        Args:
            step: Steps that stay.
            epoch: Epochs that stay.
        """
        self._flush_steps()
        with self._file_lock:
            rewind_steps(self.run, step)
            rewind_history(self.run, epoch)
        self.update(step=step, epoch=epoch)

    def _flush_steps(self) -> None:
        with self._file_lock:
            # Lists may grow while they are copied; only what was copied goes.
            rows = self._steps[:]
            if not rows:
                return
            append_steps(self.run, rows)
            del self._steps[: len(rows)]


def _sentence(phase: str, done: int, total: int) -> str:
    if phase not in _SENTENCES:
        text = phase.capitalize()
        return f"{text}: {done:,} of {total:,}." if total else f"{text}."
    alone, counted = _SENTENCES[phase]
    return _(counted, done=done, total=total) if total else _(alone)
