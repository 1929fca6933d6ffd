"""Refit of an Instant run: its last layer trained on, with corrected labels.

The features are cached, and the layer begins as the earlier run left it, so that a few
passes are enough.
"""

from __future__ import annotations

import keras
import numpy as np

from medmodel.core.storage import write_rows
from medmodel.evaluation.review.refit import write_validation
from medmodel.evaluation.review.review_order import TRAINING_SCORES
from medmodel.inference.encoder_network import frozen_model, frozen_network
from medmodel.networks.features import extract
from medmodel.runs.run import Run, RunStore
from medmodel.runs.tables import score_columns
from medmodel.training.checkpoint import mark_trained, save_model
from medmodel.training.context import TrainingContext
from medmodel.training.logistic_regression import log_probabilities
from medmodel.training.softmax_head import HeadTrainer, SoftmaxHead

PASSES = 12
"""Over all features; the layer begins near its end."""


def refit_instant(context: TrainingContext) -> None:
    """Trains and saves the refitted model, and what it changed on validation images.

    Raises:
        RunError: The run that it came from has no model any more.
        Cancelled: By the job, while features are computed that were not cached.
        OSError: The disk is full or fails.
    """
    run = context.run
    assert run.refit is not None
    source = RunStore(run.folder.parent.parent).get(run.refit.run)
    kernel, bias = last_layer(source)
    features = extract(
        context.prepared,
        context.preprocessing,
        job=context.reporter.job,
        network=frozen_network(run, context.preprocessing),
    )
    trainer, head = refit_head(context, features, kernel, bias)
    if head is None:
        return
    rows = context.rows("val")
    before = _scores(features[rows], kernel, bias)
    after = trainer.scores(head, rows)
    table = context.prepared.table.loc[rows]
    write_validation(run, table, context.classes, before, after)
    write_training_scores(context, trainer, head)
    model = frozen_model(run, context.preprocessing, *head.dense_weights)
    save_model(run, model, context.classes, context.preprocessing)
    if not context.reporter.stop_requested:
        mark_trained(run)


def refit_head(
    context: TrainingContext, features: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> tuple[HeadTrainer, SoftmaxHead | None]:
    """The layer after a few passes over the features, from an earlier one.

    Args:
        context: The refit.
        features: (n, d) of all prepared images.
        kernel: (d, k) of the earlier layer, on raw features.
        bias: (k,) of it.
    """
    trainer = HeadTrainer(context, features.shape[1])
    trainer.take_all(features)
    trainer.start_from(kernel, bias)
    return trainer, trainer.train_epochs(PASSES)


def last_layer(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (d, k) and bias (k,) of an Instant run's last layer.

    Raises:
        RunError: The run has no model.
    """
    _ = run.model_facts
    model = keras.models.load_model(run.model_path, compile=False, safe_mode=True)
    kernel, bias = model.layers[-1].get_weights()
    return kernel, bias


def write_training_scores(
    context: TrainingContext, trainer: HeadTrainer, head: SoftmaxHead
) -> None:
    """Writes what the layer says of the images that it learned from, for their review.

    Nothing where features are missing, as after a stop.
    """
    rows = context.rows("train")
    if not trainer.has_features(rows):
        return
    table = context.prepared.table.loc[rows, ["path", "label"]]
    columns = ["path", "label", *score_columns(context.classes)]
    lines = (
        [*row, *(f"{score:.8g}" for score in scores)]
        for row, scores in zip(
            table.itertuples(index=False), trainer.scores(head, rows), strict=True
        )
    )
    write_rows(context.run.folder / TRAINING_SCORES, columns, lines)


def _scores(features: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    coefficients = np.concatenate([kernel, bias[None]]).astype(np.float32)
    logs = log_probabilities(features.astype(np.float32), coefficients[None])[0]
    return np.exp(logs)
