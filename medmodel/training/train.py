"""Trains a run: check, split, prepare, learn, predict, fit the OOD detector."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from medmodel.core import samples
from medmodel.core.config import TrainConfig
from medmodel.core.errors import Cancelled, DataError, RunError
from medmodel.data.datasets import Index, index_dataset, load_index
from medmodel.data.folders import safe_folder
from medmodel.data.layout import list_files
from medmodel.data.multi_label.findings import split_findings
from medmodel.data.prepared import prepare
from medmodel.data.splits import assign_splits
from medmodel.evaluation.decision.decision_threshold import choose_decision_threshold
from medmodel.evaluation.decision.predicted_class import predicted_positions
from medmodel.evaluation.predictions import Predictions
from medmodel.inference import prediction
from medmodel.language import _
from medmodel.networks.hardware import choose_devices, limit_threads
from medmodel.quality import near_duplicates, report_store
from medmodel.runs.copies import has_near_copies, near_copies, write_near_copies
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.progress.time_plan import time_plan
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.runs.tables import predictions
from medmodel.runs.tables.checked import set_damaged_checksums_aside
from medmodel.runs.tables.split import (
    SPLIT_COLUMNS,
    read_split,
    split_checksum,
    split_checksum_of,
    write_split,
)
from medmodel.training import segmentation
from medmodel.training.callbacks import read_best
from medmodel.training.checkpoint import (
    is_trained,
    restore_facts,
    set_damaged_model_aside,
)
from medmodel.training.context import TrainingContext, class_names
from medmodel.training.environment import size_of_earlier_attempt, write_environment
from medmodel.training.fitting import build, fit
from medmodel.training.input_size import InputSizeChoice, choose_size
from medmodel.training.instant import train_instant
from medmodel.training.multi_label.findings_run import settings_for, write_answers
from medmodel.training.ood_reference import write_reference
from medmodel.training.precision_cache import precision_for
from medmodel.training.segmentation_results import write_segmentation
from medmodel.training.tracking.event_file import EventFile

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("medmodel.training.train")
CHUNK = 256
"""Images between two looks at the clock while predictions are written."""


def train(run: Run, reporter: StatusWriter) -> RunStatus:
    """Trains a run to its end, in this process; goes on where an attempt ended.

    Writes split.csv, environment.json, steps.csv, history.csv, best.keras, model.json,
    copies.csv, predictions.csv and at last reference.npz. A stopped run that has a
    model predicts as well.

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
    keras.utils.set_random_seed(config.training_seed)
    reporter.update(epochs=config.epochs)
    policy = keras.config.dtype_policy()
    events = EventFile(run)
    if config.tensorboard:
        reporter.on_epoch.append(events.write)
    try:
        set_damaged_model_aside(run)
        set_damaged_checksums_aside(run)
        limit_threads(config.model)
        strategy, device = choose_devices(config.device)
        reporter.update(device=device)
        context, size_choice = prepare_context(run, reporter)
        _learn(context, size_choice, strategy, device)
        stopped = reporter.stop_requested
        if run.model_path.exists():
            _evaluate_beside_copies(context)
    except Cancelled:
        return RunStatus.STOPPED
    finally:
        keras.config.set_dtype_policy(policy)
        events.close()
    if events.problem:
        reporter.update(message=f"{reporter.remark} {events.problem}".strip())
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

    if config.training == "frozen" and not is_trained(run):
        reporter.rewind(0, 0)
    folder = safe_folder(config.dataset)
    workspace = run.folder.parent.parent
    reporter.follow(time_plan(config, len(list_files(folder)[0]), workspace))
    reporter.progress("checking", 0, 0)
    index = index_dataset(folder, reporter.job)
    if config.segments:
        return _prepare_masked(run, index, reporter)
    if not index.has_classes:
        raise DataError(
            _(
                "{name} holds no classes of images but segmentation masks: choose the "
                "recipe Segmentation.",
                name=folder.name,
            )
        )
    config = settings_for(run, index)
    table = _split(run, index, config)
    classes = class_names(table["label"], config.multi_label)
    size_choice = size_of_earlier_attempt(run)
    if size_choice is None:
        size_choice = choose_size(run, reporter, index, table)
    axis, frame = samples.axis_of(table["path"]), samples.frame_of(table["path"])
    preprocessing = config.preprocessing(size_choice.size)
    preprocessing = replace(preprocessing, axis=axis, frame=frame)
    prepared = prepare(index.folder, table, preprocessing, reporter.job)
    context = TrainingContext(run, config, reporter, classes, preprocessing, prepared)
    _check(context)
    return context, size_choice


def _prepare_masked(
    run: Run, index: Index, reporter: StatusWriter
) -> tuple[TrainingContext, InputSizeChoice]:
    """The same for a segmentation, see `prepare_context`."""
    config = run.config
    index, masks = segmentation.index_with_masks(index)
    prepared, prepared_masks = segmentation.prepare_pixels(
        index, masks, config, reporter
    )
    classes = segmentation.class_names(prepared_masks.values)
    labelled = segmentation.labelled_by_masks(index, prepared, prepared_masks, classes)
    size_choice = choose_size(run, reporter, labelled, prepared.table)
    prepared = segmentation.with_splits(prepared, _split(run, labelled, config))
    paths = prepared.table["path"]
    preprocessing = replace(
        config.preprocessing(config.size),
        axis=samples.axis_of(paths),
        frame=samples.frame_of(paths),
    )
    context = TrainingContext(
        run, config, reporter, classes, preprocessing, prepared, prepared_masks
    )
    for split in ("train", "val"):
        if not len(context.rows(split)):
            raise DataError(
                _("No training image or no validation image can be read with its mask.")
            )
    return context, size_choice


def _evaluate_beside_copies(context: TrainingContext) -> None:
    """Evaluates, and seeks near copies at the same time: neither fills all cores."""
    with ThreadPoolExecutor(1, thread_name_prefix="copies") as beside:
        search = contextvars.copy_context().run
        copies = beside.submit(search, keep_near_copies, context.run)
        _evaluate(context)
        context.reporter.progress("copies", 0, 0)
        copies.result()


def _evaluate(context: TrainingContext) -> None:
    """Says what the best model answers, and what was odd about it."""
    restore_facts(
        context.run, context.classes, context.preprocessing, context.mask_values
    )
    if context.masks is not None:
        write_segmentation(context)
        write_reference(context)
        return
    if context.config.multi_label:
        write_answers(context, CHUNK)
        warning = ""
    else:
        warning = write_predictions(context)
    write_reference(context)
    remarks = [start_remark(context.run, context.reporter.status.epoch), warning]
    message = " ".join(remark for remark in remarks if remark)
    if message:
        context.reporter.update(message=message)


def start_remark(run: Run, epochs: int) -> str:
    """A sentence if no epoch was better than what training started from, else "".

    Args:
        run: Fine-tuned, or else nothing is kept from before the first epoch.
        epochs: How many were finished.
    """
    best = read_best(run)
    if best is None or best.epoch or best.val_loss is None or not epochs:
        return ""
    return _(
        "No epoch improved on the start: the model is the network before "
        "epoch 1, of which only the last layer was trained (validation "
        "loss {val_loss:.3g}).",
        val_loss=best.val_loss,
    )


def write_predictions(context: TrainingContext) -> str:
    """Writes predictions.csv for validation and test with the model as saved.

    The same function answers for uploads, and the model is read from its file: the
    table proves what Diagnose will say.

    Returns:
        A warning, see `constant_prediction_warning`.
    """
    run, reporter, prepared = context.run, context.reporter, context.prepared
    rows = np.concatenate([context.rows("val"), context.rows("test")])
    reporter.progress("evaluating", 0, len(rows))
    loaded = prediction.load(run)
    scores = np.empty((len(rows), len(context.classes)), np.float32)
    for start in range(0, len(rows), CHUNK):
        reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + CHUNK]
        answer = prediction.predict(loaded, prepared.pixels[chosen])
        scores[start : start + CHUNK] = answer
    reporter.progress("evaluating", len(rows), len(rows))
    predicted = _decide(context, scores)
    of_validation = predicted[: len(context.rows("val"))]
    rows_of = prepared.table.loc[rows]
    names = [context.classes[position] for position in predicted]
    decided = run.model_facts.threshold is not None
    predictions.write_predictions(
        run, context.classes, rows_of, scores, names if decided else None
    )
    return constant_prediction_warning(of_validation, context.classes)


def _decide(context: TrainingContext, scores: np.ndarray) -> np.ndarray:
    """Positions (n,) of the predicted classes; the threshold goes into model.json.

    Args:
        context: The run.
        scores: (n, k) of the validation images, then of the test images.
    """
    run, rows = context.run, context.rows("val")
    validation = Predictions(
        context.classes, context.targets[rows], scores[: len(rows)].astype(float), None
    )
    threshold = choose_decision_threshold(validation)
    facts = run.model_facts
    if facts.threshold != threshold:
        run.write_model_facts(replace(facts, threshold=threshold))
    return predicted_positions(scores, context.classes, threshold)


def constant_prediction_warning(predicted: np.ndarray, classes: list[str]) -> str:
    """A sentence if every image gets the same predicted class, else "".

    Args:
        predicted: (n,) positions of the predicted classes of validation images.
        classes: (k,) names.
    """
    choices = set(predicted.tolist())
    if len(choices) != 1:
        return ""
    return _(
        "Careful: the model answers {name} for every validation image. "
        "It has learned nothing useful yet.",
        name=classes[choices.pop()],
    )


def _learn(
    context: TrainingContext,
    size_choice: InputSizeChoice,
    strategy: tf.distribute.Strategy,
    device: str,
) -> None:
    if is_trained(context.run):
        return
    reporter = context.reporter
    if context.config.training == "scratch":
        reporter.progress("training", 0, 0)  # its first steps tell the precision
    precision = precision_for(context, lambda: build(context))
    write_environment(context, size_choice, precision, device)
    reporter.update(precision=precision.policy)
    if context.config.training == "frozen":
        train_instant(context)
    else:
        keras.config.set_dtype_policy(precision.policy)
        fit(context, strategy)


def _split(run: Run, index: Index, config: TrainConfig) -> pd.DataFrame:
    """The run's split: drawn once, kept in split.csv for every later attempt.

    Lost or damaged, it is drawn again, if that gives the very same.

    Raises:
        RunError: It is damaged, and nothing tells what it was.
        DataError: Drawn again it would be another one.
    """
    checksum, reason = split_checksum(run), ""
    if run.split_path.exists() or checksum:
        try:
            table = read_split(run)
            if checksum is not None or not _is_cut(table, index, config):
                return table
            log.warning("%s was cut short, and is drawn again.", run.split_path)
        except RunError as error:
            if checksum is None:
                raise
            reason = str(error)
    table = _draw_split(index, config)
    if checksum is not None and split_checksum_of(table) != checksum:
        raise DataError(
            f"{reason} " + _("It cannot be drawn again: the images have changed.")
        )
    write_split(run, table)
    return table


def _draw_split(index: Index, config: TrainConfig) -> pd.DataFrame:
    digests = index.readable[["path", "digest"]]
    table = assign_splits(index, config).merge(digests, on="path", how="left")
    return table[list(SPLIT_COLUMNS)]


def _is_cut(table: pd.DataFrame, index: Index, config: TrainConfig) -> bool:
    """Whether a split of which no checksum is known is the beginning of the one drawn.

    Where the images have changed since, another one is drawn, and nothing is known.
    """
    columns = ["path", "label", "patient", "split"]
    drawn = _draw_split(index, config)[columns].to_csv(index=False)
    lines = table.reindex(columns=columns).to_csv(index=False)
    return len(lines) < len(drawn) and drawn.startswith(lines)


def keep_near_copies(run: Run) -> None:
    """Writes once which test images are near copies, for all numbers of the run.

    At the end, not with the split: where nobody checked the data set they have to be
    sought, and the first point of the curves should not wait for that.
    """
    index = load_index(safe_folder(run.config.dataset))
    if index is None or has_near_copies(run):
        return
    measured = report_store.load_measured(index)
    groups = measured.alike if measured else near_duplicates.near_groups(index)
    write_near_copies(run, near_copies(read_split(run), groups))


def _check(context: TrainingContext) -> None:
    """Raises `DataError` if what could be prepared is too little."""
    table = context.prepared.table
    labels = table.loc[table["split"] == "train", "label"]
    if context.config.multi_label:
        training = Counter(name for x in labels for name in split_findings(x))
    else:
        training = Counter(labels)
    missing = [name for name in context.classes if not training[name]]
    if missing:
        raise DataError(
            _(
                "No training image of {classes} can be read: at least one of every "
                "class is needed.",
                classes=", ".join(missing),
            )
        )
    if not len(context.rows("val")):
        raise DataError(_("No validation image can be read: at least one is needed."))
