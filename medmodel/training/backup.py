"""Backup of a training after every epoch, from which it goes on to the bit.

Keras' own BackupAndRestore writes weights and epoch one after the other, and leaves
out the seeds of Dropout. Here one file holds all that the next epoch depends on:
weights, running means, seeds, the optimizer with its step and its loss scale, the best
epoch so far, and the history until then. Order and augmentation of the images depend
on seed and epoch alone, see `pipeline.training_batches`.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from medmodel.core.errors import DECODER_ERRORS, NPY_HEADER_ERRORS
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import renaming, replacing
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.cells import read_cells
from medmodel.training.callbacks import BestCheckpoint, StatusCallback, read_best
from medmodel.training.checkpoint import model_is_whole

FOLDER = "backup"
_NAME = "epoch_{:05}.npz"
_OLDER = ".weights.h5"
"""How a backup's name ended when it held neither seeds nor history."""
_DAMAGED = (*DECODER_ERRORS, *NPY_HEADER_ERRORS, zipfile.BadZipFile)
log = logging.getLogger("medmodel.training.backup")


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Args:
        epoch: Finished epochs.
        step: Steps that were finished with them.
        best_epoch: Epoch of the lowest validation loss, 1-based; 0 for the start.
        best_loss: That loss; None if there was none.
        history: Text of history.csv.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    history: str = ""


class Backup(keras.callbacks.Callback):
    """Writes a backup after every epoch; to be called after the two that it asks.

    Args:
        run: Whose training.
        status: Knows the steps.
        best: Knows the best epoch.
    """

    def __init__(self, run: Run, status: StatusCallback, best: BestCheckpoint) -> None:
        super().__init__()
        self.run, self.status, self.best = run, status, best

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the newest, then removes the older ones."""
        progress = Progress(
            epoch + 1,
            self.status.step,
            self.best.epoch,
            self.best.loss if np.isfinite(self.best.loss) else None,
            self.run.history_path.read_text(encoding="utf-8", errors="replace"),
        )
        write_backup(self.model, self.run, progress)


def write_backup(model: keras.Model, run: Run, progress: Progress) -> None:
    """Writes a model's state and how far it is, wholly or not at all.

    Args:
        model: Compiled, its optimizer built.
        run: Older backups of it are removed then.
        progress: As of now.

    Raises:
        OSError: The disk is full or fails; the older backup is still there.
    """
    folder = run.folder / FOLDER
    newest = folder / _NAME.format(progress.epoch)
    arrays = {
        f"variable_{number:05}": np.stack([replica.numpy() for replica in replicas])
        for number, replicas in enumerate(_state(model))
    }
    text = msgspec.json.encode(asdict(progress))
    arrays["progress"] = np.frombuffer(text, np.uint8)
    with renaming(newest) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != newest:
            path.unlink()


def restore(model: keras.Model, run: Run) -> Progress:
    """Gives a compiled model the state of the last whole backup.

    A damaged backup counts as none: training then begins anew, and ends as it would
    have.

    Args:
        model: As it was built first; unchanged where there is no backup.
        run: The run.

    Returns:
        How far the training is; nothing finished if there is no backup.
    """
    model.optimizer.build(model.trainable_variables)
    for unfinished in (run.folder / FOLDER).glob(".new-*"):
        unfinished.unlink()
    for path in sorted((run.folder / FOLDER).glob("epoch_*"), reverse=True):
        read = _restore_older if path.name.endswith(_OLDER) else _restore
        before = [[replica.numpy() for replica in group] for group in _state(model)]
        try:
            progress = read(model, run, path)
        except _DAMAGED as error:
            log.warning("The backup %s is damaged and left out: %s", path, error)
            _assign(model, before)
            continue
        if progress.history:
            with replacing(run.history_path) as file:
                file.write(progress.history)
        return progress
    return Progress()


def remove_backup(run: Run) -> None:
    """Removes the backups of a training that is finished."""
    shutil.rmtree(run.folder / FOLDER, ignore_errors=True)


def _restore(model: keras.Model, run: Run, path: Path) -> Progress:
    with open_regular(path) as file, np.load(file) as arrays:
        progress = msgspec.json.decode(arrays["progress"].tobytes(), type=Progress)
        _check_best(run, progress.best_loss)
        count = len(_state(model))
        _assign(model, [arrays[f"variable_{number:05}"] for number in range(count)])
    return progress


def _restore_older(model: keras.Model, run: Run, path: Path) -> Progress:
    """From a file of an earlier version: weights and optimizer alone."""
    best = read_best(run)
    _check_best(run, None if best is None else best.val_loss)
    model.load_weights(path)
    epoch = int(path.name.removesuffix(_OLDER).removeprefix("epoch_"))
    cells = read_cells(run.history_path, "epoch", "step")
    steps = [int(step) for number, step in cells if number == str(epoch)]
    return Progress(epoch, steps[-1] if steps else 0)


def _check_best(run: Run, best_loss: float | None) -> None:
    """Raises `ValueError` where the best model until then is not there any more."""
    if best_loss is not None and not model_is_whole(run):
        raise ValueError(_("The best model until then is missing or damaged."))


def _state(model: keras.Model) -> list[list[tf.Variable]]:
    """All that the next step depends on, and each variable's copies on the devices.

    On several devices running means differ from each other, and so do seeds.
    """
    variables = [*model.variables, *model.optimizer.variables]
    return [
        list(getattr(variable.value, "values", (variable.value,)))
        for variable in variables
    ]


def _assign(model: keras.Model, state: list[Any]) -> None:
    """Gives the model's variables their values, after all of them proved to fit.

    Raises:
        ValueError: They are those of another network.
    """
    pairs = list(zip(_state(model), state, strict=True))
    for replicas, values in pairs:
        if tuple(replicas[0].shape) != np.shape(values)[1:]:
            raise ValueError(_("It is the backup of another network."))
    for replicas, values in pairs:
        values = _for_devices(values, len(replicas))
        for replica, value in zip(replicas, values, strict=True):
            replica.assign(value)


def _for_devices(values: Any, count: int) -> Iterator[np.ndarray]:
    """One value for each device: its own, or the mean where their number changed."""
    values = np.asarray(values)
    if len(values) == count:
        yield from values
    else:
        mean = values.mean(axis=0) if values.dtype.kind == "f" else values[0]
        yield from [mean.astype(values.dtype)] * count
