"""TensorBoard events of a run: what its history holds, as TensorBoard reads it.

Written without TensorBoard's package, which is needed only to look at them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from medmodel.language import _
from medmodel.runs.run import Run

FOLDER = "tensorboard"
_LEFT_OUT = ("epoch", "step", "attempt", "time")
log = logging.getLogger("medmodel.training.tracking.event_file")


class EventFile:
    """One attempt's events; whatever goes wrong never touches the training.

    Args:
        run: Gets them in its folder `tensorboard`.
    """

    def __init__(self, run: Run) -> None:
        self.problem = ""
        self._run = run
        self._writer: tf.io.TFRecordWriter | None = None

    def write(self, row: Mapping[str, Any]) -> None:
        """Writes a finished epoch: its losses, accuracies and learning rate.

        Args:
            row: As for `StatusWriter.epoch`.
        """
        if self.problem:
            return
        epoch = int(row["epoch"])
        values = [
            tf.compat.v1.Summary.Value(tag=name, simple_value=float(value))
            for name, value in row.items()
            if name not in _LEFT_OUT and isinstance(value, int | float)
        ]
        try:
            if self._writer is None:
                self._writer = self._opened(epoch)
            summary = tf.compat.v1.Summary(value=values)
            event = tf.compat.v1.Event(
                wall_time=time.time(), step=epoch, summary=summary
            )
            self._write(event)
        except (OSError, tf.errors.OpError) as error:
            log.warning("TensorBoard events end here: %s", error)
            self.problem = _(
                "TensorBoard events could not be written; the training is whole."
            )

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None and not self.problem:
            try:
                self._writer.close()
            except (OSError, tf.errors.OpError) as error:
                log.warning("TensorBoard events end here: %s", error)

    def _opened(self, epoch: int) -> tf.io.TFRecordWriter:
        folder = self._run.folder / FOLDER
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{self._run.id}"
        writer = self._writer = tf.io.TFRecordWriter(str(folder / name))
        self._write(
            tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2")
        )
        # What an earlier attempt wrote of this epoch and later ones does not count.
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._write(
            tf.compat.v1.Event(wall_time=time.time(), step=epoch, session_log=start)
        )
        return writer

    def _write(self, event: Any) -> None:
        assert self._writer is not None
        self._writer.write(event.SerializeToString())
        self._writer.flush()
