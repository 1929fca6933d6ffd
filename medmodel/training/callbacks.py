"""Keras callbacks: status and stop, best checkpoint, backup to resume from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from medmodel.core.storage import read_json, renaming, write_json
from medmodel.runs.failures import NotANumberError
from medmodel.runs.status_writer import StatusWriter

STEP_SECONDS = 0.05
_BACKUP = "epoch_{:05}.weights.h5"


class StatusCallback(keras.callbacks.Callback):
    """Tells the reporter about steps and epochs; stops when asked or out of numbers.

    Args:
        reporter: Whom to tell.
        step: Steps that earlier attempts finished.
        steps: All steps that are planned, those included.

    Raises:
        Cancelled: (from `fit`) somebody asked to stop; the current step was finished.
        NotANumberError: (from `fit`) the loss is infinite or not a number.
    """

    def __init__(self, reporter: StatusWriter, step: int, steps: int) -> None:
        super().__init__()
        self.reporter = reporter
        self.step = step
        self._before = step
        self._steps = steps
        self._epoch = 0
        self._last_report = 0.0
        self._sums = (0, 0.0, 0.0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the sums anew: Keras gives means over the epoch so far."""
        self._epoch = epoch + 1
        self._sums = (0, 0.0, 0.0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks at the loss, tells at most every 0.05 seconds, and stops if asked."""
        self.step += 1
        count, loss, accuracy = batch + 1, logs["loss"], logs["accuracy"]
        if not math.isfinite(loss):
            raise NotANumberError(
                f"The loss stopped being a number in epoch {self._epoch}, step {count}."
            )
        now = time.monotonic()
        if now - self._last_report >= STEP_SECONDS:
            self._last_report = now
            self._tell(count, count * loss, count * accuracy)
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops if asked, also in the middle of validation."""
        self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds a row to the history."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        numbers = {name: float(value) for name, value in logs.items()}
        row = {"epoch": epoch + 1, "step": self.step, "learning_rate": rate}
        self.reporter.epoch({**row, **numbers})

    def _tell(self, count: int, loss: float, accuracy: float) -> None:
        """Reports the mean of the steps since the last report."""
        before, old_loss, old_accuracy = self._sums
        self._sums = (count, loss, accuracy)
        self.reporter.step(
            step=self.step,
            epoch=self._epoch,
            loss=(loss - old_loss) / (count - before),
            accuracy=(accuracy - old_accuracy) / (count - before),
        )
        done = self.step - self._before
        self.reporter.progress("training", done, self._steps - self._before)

    def _stop_if_asked(self) -> None:
        self.reporter.job.check()


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the model whenever validation loss is lower than ever in this run.

    What "ever" means lies in best.json beside the model, so that a resumed run never
    replaces a better model by a worse one.

    Args:
        reporter: Told about the best epoch.
        save: Saves a model as the run's best.
        patience: Epochs without a better loss after which training ends; 0 for never.
    """

    def __init__(
        self,
        reporter: StatusWriter,
        save: Callable[[keras.Model], None],
        patience: int = 0,
    ) -> None:
        super().__init__()
        run, self.reporter = reporter.run, reporter
        self.path = run.folder / "best.json"
        self.save = save
        self.patience = patience
        best = read_json(self.path) if run.model_path.exists() else None
        self.loss = math.inf if best is None else float(best["val_loss"])
        self.epoch = 0 if best is None else int(best["epoch"])

    def offer(self, model: keras.Model, epoch: int, loss: float) -> bool:
        """Keeps the model if it is better; returns whether it is.

        Args:
            model: The model.
            epoch: The epoch, 1-based; 0 for what training started from.
            loss: Its validation loss; one that is no number is never better.
        """
        if not loss < self.loss:
            return False
        self.save(model)
        write_json(self.path, {"val_loss": loss, "epoch": epoch})
        self.loss, self.epoch = loss, epoch
        self.reporter.update(best_epoch=epoch)
        return True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the model if it is better; loses patience if it has not been."""
        self.offer(self.model, epoch + 1, float(logs["val_loss"]))
        if 0 < self.patience <= epoch + 1 - self.epoch:
            self.model.stop_training = True


class Backup(keras.callbacks.Callback):
    """Keeps weights and optimizer after every epoch, for `restore`.

    Keras' own BackupAndRestore writes weights and epoch one after the other: killed in
    between, it repeats an epoch on weights that already had it. Here the epoch is part
    of the file's name, and a file gets its name when it is complete.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the newest, then removes the older ones."""
        newest = self.folder / _BACKUP.format(epoch + 1)
        with renaming(newest) as temporary:
            self.model.save_weights(str(temporary))
        for path in self.folder.iterdir():
            if path != newest:
                path.unlink()


def restore(model: keras.Model, folder: Path) -> int:
    """Gives a compiled model the weights and the optimizer of the last backup.

    Returns:
        Epochs that were finished; 0 if there is no backup.
    """
    backups = sorted(folder.glob(_BACKUP.replace("{:05}", "*")))
    if not backups:
        return 0
    model.optimizer.build(model.trainable_variables)
    model.load_weights(backups[-1])
    return int(backups[-1].name.removesuffix(".weights.h5").removeprefix("epoch_"))
