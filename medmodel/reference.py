"""Features of training images, kept beside a model, and of pictures asked about."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from medmodel import familiarity, features
from medmodel.config import Preprocessing
from medmodel.errors import ImageError
from medmodel.familiarity import Origin, Reference, facts_of, numbers_of
from medmodel.folders import safe_folder
from medmodel.images import decode, prepare_image
from medmodel.material import Material
from medmodel.models import instant_features

LOOKED_AT = 128
"""Largest size in pixels at which pictures are compared beside a model that does not
have the frozen network's features itself."""
MOST_VALIDATION = 400
_DECODED = 24
_BATCH = 32


def write_reference(material: Material) -> None:
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
    some = np.sort(random.permutation(training)[: familiarity.MOST_FITTED])
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
    reference = familiarity.fit(
        numbers_of(found, pixels[some]),
        numbers_of(seen, pixels[judged]),
        likes,
        list(told.itertuples(index=False, name=None)),
        _origin(material, some, size, own),
    )
    reference.save(material.run.folder / familiarity.NAME)


def _watched(material: Material, rows: np.ndarray, size: int) -> np.ndarray:
    found = []
    for start in range(0, len(rows), 256):
        material.reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + 256]
        found.append(frozen_features(material.prepared.pixels[chosen], size))
    return np.concatenate(found)


def _origin(material: Material, rows: np.ndarray, size: int, own: bool) -> Origin:
    """Size and colour of a few training images as they came."""
    folder = safe_folder(material.config.dataset)
    paths = material.prepared.table["path"]
    facts = []
    for row in rows[:: max(1, len(rows) // _DECODED)]:
        try:
            facts.append(facts_of(decode(folder / str(paths[row])).pixels))
        except ImageError:  # Changed since it was prepared: others tell.
            continue
    smallest = min((fact.side for fact in facts), default=0)
    grey = bool(facts) and max(fact.colour for fact in facts) < 6
    return Origin(size, own, smallest, grey)


def frozen_features(images: np.ndarray, size: int) -> np.ndarray:
    """What the frozen network of the recipe "Instant" sees in prepared pictures.

    Args:
        images: uint8 (n, height, width, channels).
        size: Height and width to which they are brought.

    Returns:
        float32 (n, `features.FEATURES`).
    """
    preprocessing = Preprocessing(
        size, colour="grey" if images.shape[3] == 1 else "rgb"
    )
    compute = _compiled(preprocessing)
    found = np.empty((len(images), features.FEATURES), np.float32)
    for start in range(0, len(images), _BATCH):
        piece = images[start : start + _BATCH]
        ready = np.stack([prepare_image(pixels, preprocessing) for pixels in piece])
        found[start : start + len(piece)] = compute(tf.constant(ready)).numpy()
    return found


@functools.lru_cache(maxsize=4)
def _compiled(
    preprocessing: Preprocessing,
) -> Callable[[tf.Tensor], tf.Tensor]:
    network = instant_features(preprocessing)
    signature = [tf.TensorSpec((None, *preprocessing.shape), tf.uint8)]

    def compute(pixels: tf.Tensor) -> tf.Tensor:
        return network(pixels, training=False)

    return tf.function(compute, input_signature=signature)


def usual_features(reference: Reference | None) -> np.ndarray | None:
    """What enters the last layer of a model for a usual training image, (d,).

    None where that is not known, or no feature of the model's own.
    """
    if reference is None or not reference.own:
        return None
    return reference.mean[: features.FEATURES]


def reference_numbers(
    reference: Reference, images: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """What a reference compares.

    Args:
        reference: The model's reference.
        images: uint8 (n, height, width, channels), prepared for the model.
        own: (n, d) what enters the model's last layer.
    """
    found = own if reference.own else frozen_features(images, reference.size)
    return numbers_of(found, images)
