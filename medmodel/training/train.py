"""Trains a run: check, split, prepare, learn, predict, fit the OOD detector."""

from __future__ import annotations

import os
import platform
from collections import Counter
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from medmodel.core import devices, samples
from medmodel.core.config import TrainConfig
from medmodel.core.errors import Cancelled, DataError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import read_json, write_json
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.folders import safe_folder
from medmodel.data.prepared import prepare
from medmodel.data.splits import assign_splits
from medmodel.inference import prediction
from medmodel.networks.hardware import choose_devices
from medmodel.networks.precision import choose_precision
from medmodel.runs import tables
from medmodel.runs.run import Run, RunStatus
from medmodel.runs.status_writer import StatusWriter
from medmodel.runs.tables import SPLIT_COLUMNS, read_split, write_split
from medmodel.training.context import TrainingContext
from medmodel.training.fitting import build, fit
from medmodel.training.input_size import InputSizeChoice, choose_size
from medmodel.training.instant import train_instant
from medmodel.training.ood_reference import write_reference

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 256
"""Images between two looks at the clock while predictions are written."""


def train(run: Run, reporter: StatusWriter) -> RunStatus:
    """Trains a run to its end, in this process; goes on where an attempt ended.

    Writes split.csv, environment.json, steps.csv, history.csv, best.keras, model.json
    predictions.csv and at last reference.npz. A stopped run that has a model predicts
    as well.

    Args:
        run: A run whose lock this process holds.
        reporter: Told everything; says when to stop.

    Returns:
        `DONE`, or `STOPPED` if somebody asked for that.

    Raises:
        DataError: The data set cannot be used.
        TrainingError: The loss is no number any more.
        OSError: The disk is full or fails.
    """
    config = run.config
    keras.utils.set_random_seed(config.seed)
    reporter.update(epochs=config.epochs)
    policy = keras.config.dtype_policy()
    try:
        strategy, device = choose_devices(config.device)
        reporter.update(device=device)
        context, size_choice = prepare_context(run, reporter)
        _learn(context, size_choice, strategy, device)
        stopped = reporter.stop_requested
        if run.model_path.exists():
            write_predictions(context)
            write_reference(context)
    except Cancelled:
        return RunStatus.STOPPED
    finally:
        keras.config.set_dtype_policy(policy)
    return RunStatus.STOPPED if stopped else RunStatus.DONE


def prepare_context(
    run: Run, reporter: StatusWriter
) -> tuple[TrainingContext, InputSizeChoice]:
    """Checks, splits and prepares the run's images.

    Raises:
        DataError: The data set cannot be used.
        Cancelled: Somebody asked to stop.
        OSError: The disk is full or fails.
    """
    config = run.config

    if config.training == "frozen":
        reporter.rewind(0)
    reporter.progress("checking", 0, 0)
    index = index_dataset(safe_folder(config.dataset), reporter.job)
    table = _split(run, index, config)
    classes = sorted(set(table["label"]))
    size_choice = choose_size(run, reporter, index, table)
    axis, frame = samples.axis_of(table["path"]), samples.frame_of(table["path"])
    preprocessing = config.preprocessing(size_choice.size)
    preprocessing = replace(preprocessing, axis=axis, frame=frame)
    prepared = prepare(index.folder, table, preprocessing, reporter.job)
    context = TrainingContext(run, config, reporter, classes, preprocessing, prepared)
    _check(context)
    return context, size_choice


def write_predictions(context: TrainingContext) -> None:
    """Writes predictions.csv for validation and test with the model as saved.

    The same function answers for uploads, and the model is read from its file: the
    table proves what Diagnose will say.
    """
    run, reporter, prepared = context.run, context.reporter, context.prepared
    loaded = prediction.load(run)
    rows = np.concatenate([context.rows("val"), context.rows("test")])
    scores = np.empty((len(rows), len(context.classes)), np.float32)
    for start in range(0, len(rows), CHUNK):
        reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + CHUNK]
        answer = prediction.predict(loaded, prepared.pixels[chosen])
        scores[start : start + CHUNK] = answer
    reporter.progress("evaluating", len(rows), len(rows))
    rows_of = prepared.table.loc[rows]
    tables.write_predictions(run, context.classes, rows_of, scores)
    warning = constant_prediction_warning(
        scores[: len(context.rows("val"))], context.classes
    )
    if warning:
        reporter.update(message=warning)


def constant_prediction_warning(scores: np.ndarray, classes: list[str]) -> str:
    """A sentence if every image gets the same first choice, else "".

    Args:
        scores: (n, k) probabilities of validation images.
        classes: (k,) names.
    """
    choices = set(scores.argmax(axis=1).tolist())
    if len(choices) != 1:
        return ""
    return (
        f"Careful: the model answers {classes[choices.pop()]} for every validation "
        "image. It has learned nothing useful yet."
    )


def _learn(
    context: TrainingContext,
    size_choice: InputSizeChoice,
    strategy: tf.distribute.Strategy,
    device: str,
) -> None:
    config, reporter = context.config, context.reporter
    precision, reason = _precision(context)
    facts = environment(config, context.preprocessing, (precision, reason), device)
    facts["size_reason"] = size_choice.reason
    write_json(context.run.folder / "environment.json", facts)
    reporter.update(precision=precision)
    if config.training == "frozen":
        train_instant(context)
    else:
        keras.config.set_dtype_policy(precision)
        reporter.progress("training", 0, 0)
        fit(context, strategy)


def environment(
    config: TrainConfig,
    preprocessing: Preprocessing,
    precision: tuple[str, str],
    device: str,
) -> dict[str, Any]:
    """What environment.json holds: on what, and with what, the run was trained."""
    packages = ("tensorflow", "keras", "numpy", "pandas", "pillow", "scipy")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "devices": [device.title for device in devices.available()],
        "device": device,
        "precision": precision[0],
        "precision_reason": precision[1],
        "size": preprocessing.size,
        "seed": config.seed,
    }


def _precision(context: TrainingContext) -> tuple[str, str]:
    config = context.config
    if config.training == "frozen":
        return "float32", "float32: features do not depend on the machine."
    if config.precision != "auto":
        return config.precision, f"{config.precision}: chosen in the settings."
    earlier = read_json(context.run.folder / "environment.json")
    if earlier:
        return earlier["precision"], earlier["precision_reason"]
    context.reporter.update(message="Timing a few steps of each precision.")
    pixels = context.prepared.pixels[: config.batch_size]
    return choose_precision(lambda: build(context), pixels)


def _split(run: Run, index: Index, config: TrainConfig) -> pd.DataFrame:
    """The run's split: drawn once, kept in split.csv for every later attempt.

    Lost or damaged, it is drawn again, if that gives the very same.

    Raises:
        RunError: It is damaged, and nothing tells what it was.
        DataError: Drawn again it would be another one.
    """
    checksum, reason = tables.split_checksum(run), ""
    if run.split_path.exists() or checksum:
        try:
            return read_split(run)
        except RunError as error:
            if checksum is None:
                raise
            reason = str(error)
    digests = index.readable[["path", "digest"]]
    table = assign_splits(index, config).merge(digests, on="path", how="left")
    table = table[list(SPLIT_COLUMNS)]
    if checksum is not None and tables.split_checksum_of(table) != checksum:
        raise DataError(f"{reason} It cannot be drawn again: the images have changed.")
    write_split(run, table)
    return table


def _check(context: TrainingContext) -> None:
    """Raises `DataError` if what could be prepared is too little."""
    table = context.prepared.table
    training = Counter(table.loc[table["split"] == "train", "label"])
    missing = [name for name in context.classes if not training[name]]
    if missing:
        raise DataError(
            f"No training image of {', '.join(missing)} can be read: at least one of "
            "every class is needed."
        )
    if not len(context.rows("val")):
        raise DataError("No validation image can be read: at least one is needed.")
