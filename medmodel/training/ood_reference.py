"""Out-of-distribution reference of a run: features of its training images, kept."""

from __future__ import annotations

import numpy as np

from medmodel.core.errors import ImageError
from medmodel.data.folders import safe_folder
from medmodel.evaluation import ood
from medmodel.evaluation.ood import Origin, image_traits, ood_vectors
from medmodel.imaging.images import decode
from medmodel.inference.ood_features import frozen_features
from medmodel.networks import features
from medmodel.training.context import TrainingContext

LOOKED_AT = 128
"""Largest size in pixels at which pictures are compared beside a model that does not
have the frozen network's features itself."""
MOST_VALIDATION = 400
_DECODED = 24


def write_reference(material: TrainingContext) -> None:
    """Writes reference.npz beside the model; without a network for Instant.

    Features that Instant has computed are used again; of a run of it that was stopped,
    those that were there by then.

    Raises:
        OSError: The disk is full or fails.
        DataError: The data set is gone.
    """
    own = material.config.training == "frozen"
    random = np.random.default_rng(0)
    training, validation = material.rows("train"), material.rows("val")
    if own and material.reporter.stop_requested:
        # Whoever stopped does not want to wait for more.
        table, there = features.kept(material.prepared)
        training, validation = (
            np.intersect1d(rows, there) for rows in (training, validation)
        )
    elif own:
        table = features.extract(material.prepared, material.preprocessing)
    some = np.sort(random.permutation(training)[: ood.MOST_FITTED])
    judged = np.sort(random.permutation(validation)[:MOST_VALIDATION])
    if len(some) < 2 or not len(judged):
        return
    pixels = material.prepared.pixels
    if own:
        size = material.preprocessing.size
        found, seen = table[some], table[judged]
        shown, likes = training, table[training]
    else:
        size = min(material.preprocessing.size, LOOKED_AT)
        found = _watched(material, some, size)
        seen = _watched(material, judged, size)
        shown, likes = some, found
    told = material.prepared.table.loc[shown, ["path", "label"]]
    reference = ood.fit(
        ood_vectors(found, pixels[some]),
        ood_vectors(seen, pixels[judged]),
        likes,
        list(told.itertuples(index=False, name=None)),
        _origin(material, some, size, own),
    )
    reference.save(material.run.folder / ood.NAME)


def _watched(material: TrainingContext, rows: np.ndarray, size: int) -> np.ndarray:
    found = []
    for start in range(0, len(rows), 256):
        material.reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + 256]
        found.append(frozen_features(material.prepared.pixels[chosen], size))
    return np.concatenate(found)


def _origin(
    material: TrainingContext, rows: np.ndarray, size: int, own: bool
) -> Origin:
    """Size and colour of a few training images as they came."""
    folder = safe_folder(material.config.dataset)
    paths = material.prepared.table["path"]
    facts = []
    for row in rows[:: max(1, len(rows) // _DECODED)]:
        try:
            facts.append(image_traits(decode(folder / str(paths[row])).pixels))
        except ImageError:  # Changed since it was prepared: others tell.
            continue
    smallest = min((fact.side for fact in facts), default=0)
    grey = bool(facts) and max(fact.colour for fact in facts) < 6
    return Origin(size, own, smallest, grey)
