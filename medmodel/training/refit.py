"""Refit of an Instant run: the same training with corrected labels, features cached.

The steps are those of the earlier run, so that without a correction the same model
would come out, but for rounding: what differs comes from the labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from medmodel.core.storage import read_if_whole, write_json, write_rows
from medmodel.evaluation.review.refit import write_validation
from medmodel.evaluation.review.review_order import REVIEW_SCORES
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import score_columns
from medmodel.training.context import TrainingContext
from medmodel.training.logistic_regression import log_probabilities
from medmodel.training.softmax_head import (
    AT_ONCE,
    STRENGTHS,
    HeadTrainer,
    SoftmaxHead,
)

NEAR = 2
"""Strengths on either side of the earlier run's that a refit tries."""
_FILE = "instant.json"
BEYOND = 5
"""Epochs after the one that was best in the earlier run; later ones hardly ever are."""


@dataclass(frozen=True)
class _InstantFacts:
    """What instant.json holds: the strength of regularisation that was chosen."""

    strength: float


def write_strength(run: Run, head: SoftmaxHead) -> None:
    """Keeps the strength that validation images chose, for later refits."""
    write_json(run.folder / _FILE, _InstantFacts(head.strength))


def strengths_of(context: TrainingContext) -> np.ndarray:
    """Strengths to choose among: of a refit those near that of the earlier run.

    Each strength is trained by itself, so that to leave out others changes none.
    """
    run = context.run
    facts = (
        read_if_whole(_source(run).folder / _FILE, _InstantFacts) if run.refit else None
    )
    if facts is None:
        return STRENGTHS
    at = int(np.abs(STRENGTHS - facts.strength).argmin())
    return STRENGTHS[max(at - NEAR, 0) : at + NEAR + 1]


def epochs_of(context: TrainingContext) -> int:
    """Epochs to train: of a refit as many as the earlier run needed, and some more."""
    run, most = context.run, context.config.epochs
    if run.refit is None:
        return most
    best = _source(run).status.best_epoch
    return min(most, best + BEYOND) if best else most


def earlier_layer(context: TrainingContext) -> tuple[np.ndarray, np.ndarray] | None:
    """Kernel (d, k) and bias (k,) of the run that a refit came from; else None.

    Runs of earlier versions learned from fewer features, which still come first; their
    refits learn from those, so that what differs comes from the labels.

    Raises:
        RunError: That run has no model any more.
    """
    return _last_layer(_source(context.run)) if context.run.refit else None


def write_changes(
    context: TrainingContext,
    features: np.ndarray,
    earlier: tuple[np.ndarray, np.ndarray],
    head: SoftmaxHead,
) -> None:
    """Writes of a refit what validation images were given before and are given now.

    Args:
        context: The refit.
        features: (n, d) of all prepared images.
        earlier: From `earlier_layer`.
        head: The refitted layer.
    """
    rows = context.rows("val")
    before = _scores(features[rows], *earlier)
    after = _scores(features[rows], *head.dense_weights)
    table = context.prepared.table.loc[rows]
    write_validation(context.run, table, context.classes, before, after)


def _source(run: Run) -> Run:
    assert run.refit is not None
    return RunStore(run.folder.parent.parent).get(run.refit.run)


def _last_layer(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (d, k) and bias (k,) of an Instant run's last layer."""
    _ = run.model_facts
    model = keras.models.load_model(run.model_path, compile=False, safe_mode=True)
    kernel, bias = model.layers[-1].get_weights()
    return kernel, bias


def write_review_scores(
    context: TrainingContext, trainer: HeadTrainer, head: SoftmaxHead
) -> None:
    """Writes what the layer says of all images, and how far they lie, for their review.

    Nothing where features are missing, as after a stop.
    """
    rows = np.arange(len(context.targets))
    if not trainer.has_features(rows):
        return
    columns = ["path", "label", "split", "distance", *score_columns(context.classes)]
    lines = _review_lines(context, trainer, head)
    write_rows(context.run.folder / REVIEW_SCORES, columns, lines)


def _review_lines(
    context: TrainingContext, trainer: HeadTrainer, head: SoftmaxHead
) -> Iterator[list[str]]:
    means = trainer.class_means()
    table = context.prepared.table[["path", "label", "split"]]
    for start in range(0, len(table), AT_ONCE):
        part = table.iloc[start : start + AT_ONCE]
        rows = np.arange(start, start + len(part))
        distances, scores = trainer.distances(rows, means), trainer.scores(head, rows)
        for row, distance, of_image in zip(
            part.itertuples(index=False), distances, scores, strict=True
        ):
            yield [*row, *(f"{number:.8g}" for number in (distance, *of_image))]


def _scores(features: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    coefficients = np.concatenate([kernel, bias[None]]).astype(np.float32)
    logs = log_probabilities(features.astype(np.float32), coefficients[None])[0]
    return np.exp(logs)
