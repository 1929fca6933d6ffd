"""Keras callbacks: status and stop, best checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from medmodel.core.storage import read_if_whole, write_json
from medmodel.language import _
from medmodel.runs.failures import NotANumberError
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.training.checkpoint import model_is_whole

STEP_SECONDS = 0.05
BEST = "best.json"


class StatusCallback(keras.callbacks.Callback):
    """Tells the reporter about steps and epochs; stops when asked or out of numbers.

    Args:
        reporter: Whom to tell.
        step: Steps that earlier attempts finished.
        steps: All steps that are planned, those included.
        metric: Name of what is told beside the loss: accuracy, or dice.

    Raises:
        Cancelled: (from `fit`) somebody asked to stop; the current step was finished.
        NotANumberError: (from `fit`) the loss is infinite or not a number.
    """

    def __init__(
        self, reporter: StatusWriter, step: int, steps: int, metric: str = "accuracy"
    ) -> None:
        super().__init__()
        self.reporter = reporter
        self.metric = metric
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
        count, loss, value = batch + 1, logs["loss"], logs[self.metric]
        if not math.isfinite(loss):
            raise NotANumberError(
                _(
                    "The loss stopped being a number in epoch {epoch}, step {count}.",
                    epoch=self._epoch,
                    count=count,
                )
            )
        now = time.monotonic()
        if now - self._last_report >= STEP_SECONDS:
            self._last_report = now
            self._tell(count, count * loss, count * value)
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

    def _tell(self, count: int, loss: float, metric: float) -> None:
        """Reports the mean of the steps since the last report."""
        before, old_loss, old_metric = self._sums
        self._sums = (count, loss, metric)
        if self.metric == "auc":  # no mean over images: that of the epoch so far
            old_metric, metric = 0.0, metric / count * (count - before)
        self.reporter.step(
            step=self.step,
            epoch=self._epoch,
            loss=(loss - old_loss) / (count - before),
            metric=(metric - old_metric) / (count - before),
        )
        done = self.step - self._before
        self.reporter.progress("training", done, self._steps - self._before)

    def _stop_if_asked(self) -> None:
        self.reporter.job.check()


@dataclass(frozen=True)
class Best:
    """What best.json holds.

    Args:
        val_loss: Validation loss of best.keras; None where it was never validated.
        epoch: Its epoch, 1-based; 0 for what training started from.
    """

    val_loss: float | None
    epoch: int


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the model whenever validation loss is lower than ever in this run.

    What "ever" means lies in best.json beside the model, so that a resumed run never
    replaces a better model by a worse one.

    Args:
        reporter: Told about the best epoch.
        save: Saves a model as the run's best.
        patience: Epochs without a better loss after which training ends; 0 for never.
        earlier: The best of earlier attempts, for a lost best.json.
    """

    def __init__(
        self,
        reporter: StatusWriter,
        save: Callable[[keras.Model], None],
        patience: int = 0,
        earlier: Best | None = None,
    ) -> None:
        super().__init__()
        self.reporter = reporter
        self.path = reporter.run.folder / BEST
        self.save = save
        self.patience = patience
        best = Best(None, 0)
        if model_is_whole(reporter.run):
            best = read_best(reporter.run) or earlier or best
            write_json(self.path, best)
        self.loss = math.inf if best.val_loss is None else best.val_loss
        self.epoch = best.epoch

    def offer(self, model: keras.Model, epoch: int, loss: float) -> bool:
        """Keeps the model if it is better; returns whether it is.

        Args:
            model: The model.
            epoch: The epoch, 1-based; 0 for what training started from.
            loss: Its validation loss; one that is no number is never better.
        """
        if not loss < self.loss:
            return False
        self._keep(model, Best(loss, epoch))
        self.loss, self.epoch = loss, epoch
        self.reporter.update(best_epoch=epoch)
        return True

    def keep_unvalidated(self, model: keras.Model) -> None:
        """Keeps a model of which no loss is known: any other is better."""
        self._keep(model, Best(None, 0))

    def _keep(self, model: keras.Model, best: Best) -> None:
        self.save(model)
        write_json(self.path, best)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the model if it is better; loses patience if it has not been."""
        self.offer(self.model, epoch + 1, float(logs["val_loss"]))
        if 0 < self.patience <= epoch + 1 - self.epoch:
            self.model.stop_training = True


def read_best(run: Run) -> Best | None:
    """What is known of best.keras; None if nothing is, or the file is damaged."""
    return read_if_whole(run.folder / BEST, Best)
