"""Out-of-distribution detector of a run, fitted on features of its training images."""

from __future__ import annotations

import numpy as np

from medmodel.core.errors import DataError
from medmodel.data.folders import safe_folder
from medmodel.evaluation import ood
from medmodel.evaluation.ood import ImageTraits, Origin, image_traits, ood_vectors
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.inference.ood_features import frozen_features
from medmodel.networks import features
from medmodel.training.context import TrainingContext

LOOKED_AT = 128
"""Largest size in pixels at which images are compared beside a model that does not
have the frozen network's features itself."""
MOST_VALIDATION = 400
_DECODED = 24


def write_reference(context: TrainingContext) -> None:
    """Fits the out-of-distribution detector and writes reference.npz beside the model.

    Features that Instant has computed are used again; of a run of it that was stopped,
    those that were there by then.

    Raises:
        OSError: The disk is full or fails.
        DataError: The data set is gone.
    """
    random = np.random.default_rng(0)
    frozen = context.config.training == "frozen"
    table, training, validation = None, context.rows("train"), context.rows("val")
    if frozen:
        table, training, validation = _cached_features(context)
    fitted = np.sort(random.permutation(training)[: ood.MOST_FITTED])
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
    detector = ood.fit(
        ood_vectors(of_fitted, pixels[fitted]),
        ood_vectors(of_judged, pixels[judged]),
        of_neighbours,
        list(names.itertuples(index=False, name=None)),
        _origin(context, fitted, size, own=frozen),
    )
    detector.save(context.run.folder / ood.FILE_NAME)


def _cached_features(
    context: TrainingContext,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of all images, and the rows of training and validation that have any."""
    training, validation = context.rows("train"), context.rows("val")
    if not context.reporter.stop_requested:
        table = features.extract(context.prepared, context.preprocessing)
        return table, training, validation
    # Whoever stopped does not want to wait for more.
    table, computed = features.cached(context.prepared)
    training = np.intersect1d(training, computed)
    return table, training, np.intersect1d(validation, computed)


def _frozen_features(
    context: TrainingContext, rows: np.ndarray, size: int
) -> np.ndarray:
    pieces = []
    for start in range(0, len(rows), 256):
        context.reporter.progress("evaluating", start, len(rows))
        piece = rows[start : start + 256]
        pieces.append(frozen_features(context.prepared.pixels[piece], size))
    return np.concatenate(pieces)


def _origin(context: TrainingContext, rows: np.ndarray, size: int, own: bool) -> Origin:
    """Size and colour of a few training images as they came."""
    folder = safe_folder(context.config.dataset)
    paths = context.prepared.table["path"]
    facts = []
    for row in rows[:: max(1, len(rows) // _DECODED)]:
        try:
            source = DataFile(folder, str(paths[row]))
            opened = open_image(source, measure=image_traits)
            facts.append(ImageTraits(**opened.measured))
        except DataError:  # Changed since it was prepared: others tell.
            continue
    smallest = min((fact.side for fact in facts), default=0)
    grey = bool(facts) and max(fact.colour for fact in facts) < 6
    return Origin(size, own, smallest, grey)
