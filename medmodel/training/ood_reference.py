"""Out-of-distribution detector of a run, fitted on features of its training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.job import Job
from medmodel.data.datasets import load_index
from medmodel.data.folders import safe_folder
from medmodel.evaluation.ood.detector import FILE_NAME
from medmodel.evaluation.ood.fitting import MOST_FITTED, Origin, fit_detector
from medmodel.evaluation.ood.vectors import DEPTHS, ood_vectors
from medmodel.inference.ood_features import frozen_features
from medmodel.networks import features
from medmodel.training.context import TrainingContext

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 128
"""Largest size in pixels at which images are compared beside a model that does not
have the frozen network's features itself."""
MOST_VALIDATION = 400
_PIECE = 64
"""Images between two reports of progress."""
_GREY = 6
"""Images whose channels differ by less on average are grey, of 255: JPEG files that
are stored in colour differ by a little."""


def write_reference(context: TrainingContext) -> None:
    """Fits the out-of-distribution detector and writes reference.npz beside the model.

    Features that Instant has computed are used again; of a run of it that was stopped,
    those that were there by then.

    Raises:
        OSError: The disk is full or fails.
        DataError: The data set is gone.
    """
    random = np.random.default_rng(0)
    frozen = context.config.training == "frozen" and not context.config.encoder
    table, training, validation = None, context.rows("train"), context.rows("val")
    if frozen:
        table, training, validation = _cached_features(context)
    fitted = np.sort(random.permutation(training)[:MOST_FITTED])
    judged = np.sort(random.permutation(validation)[:MOST_VALIDATION])
    if len(fitted) < 2 or not len(judged):
        return
    if table is not None:
        size = context.preprocessing.size
        of_fitted, of_judged = table[fitted], table[judged]
        neighbours, of_neighbours = training, table[training]
    else:
        size = min(context.preprocessing.size, LOOKED_AT)
        of_fitted = _frozen_features(context, fitted, size)
        of_judged = _frozen_features(context, judged, size)
        neighbours, of_neighbours = fitted, of_fitted
    pixels, samples = context.prepared.pixels, context.prepared.table
    names = samples.loc[neighbours, ["path", "label"]]
    detector = fit_detector(
        ood_vectors(of_fitted, pixels[fitted]),
        ood_vectors(of_judged, pixels[judged]),
        of_neighbours,
        list(names.itertuples(index=False, name=None)),
        _origin(context, size, frozen, samples.loc[fitted, "label"].to_numpy(str)),
        (_patients(samples.loc[fitted]), _patients(samples.loc[judged])),
        # Not asked whether to stop: a model without this file is not whole.
        Job(context.reporter.progress),
    )
    detector.save(context.run.folder / FILE_NAME)


def _cached_features(
    context: TrainingContext,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of all images, and the rows of training and validation that have any."""
    training, validation = context.rows("train"), context.rows("val")
    pixels, compared = context.preprocessing, slice(sum(DEPTHS))
    network = features.instant_network(pixels, context.config.model)
    if not context.reporter.stop_requested:
        table = features.extract(context.prepared, pixels, network=network)
        return table[:, compared], training, validation
    # Whoever stopped does not want to wait for more.
    table, computed = features.cached(context.prepared, network)
    training = np.intersect1d(training, computed)
    return table[:, compared], training, np.intersect1d(validation, computed)


def _frozen_features(
    context: TrainingContext, rows: np.ndarray, size: int
) -> np.ndarray:
    pieces = []
    for start in range(0, len(rows), _PIECE):
        context.reporter.progress("evaluating", start, len(rows))
        piece = rows[start : start + _PIECE]
        pieces.append(frozen_features(context.prepared.pixels[piece], size))
    context.reporter.progress("evaluating", len(rows), len(rows))
    return np.concatenate(pieces)


def _origin(
    context: TrainingContext, size: int, own: bool, labels: NDArray[np.str_]
) -> Origin:
    """Size and colour of all training images as they came, which the index knows."""
    table = context.prepared.table
    training = table.loc[table["split"] == "train", "path"]
    index = load_index(safe_folder(context.config.dataset))
    smallest, grey = 0, False
    if index is not None:
        facts = index.readable.set_index("path")
        facts = facts[facts.index.isin(training)]
        if len(facts) == len(training):
            smallest = int(facts[["width", "height"]].to_numpy().min())
            grey = bool(facts["colour"].max() < _GREY)
    return Origin(size, own, smallest, grey, labels)


def _patients(table: pd.DataFrame) -> np.ndarray:
    """Whose each image is; where nobody knows, copies of an image are together."""
    unknown = table["digest"] if "digest" in table else table["path"]
    return np.where(table["patient"] == "", unknown, table["patient"]).astype(str)
