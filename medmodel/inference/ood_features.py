"""Features that an out-of-distribution detector compares."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood.detector import OodDetector
from medmodel.evaluation.ood.vectors import DEPTHS, ood_vectors
from medmodel.imaging.images import prepare_image
from medmodel.networks.models import frozen_backbone

_BATCH = 32
_COMPARED = sum(DEPTHS)
"""So many features come first in every frozen network, and are compared."""


def frozen_features(images: np.ndarray, size: int) -> np.ndarray:
    """What the frozen network of the recipe "Instant" sees in prepared images.

    Args:
        images: uint8 (n, height, width, channels).
        size: Height and width to which they are brought.

    Returns:
        float32 (n, sum of `DEPTHS`).
    """
    preprocessing = Preprocessing(
        size, colour="grey" if images.shape[3] == 1 else "rgb"
    )
    compute = _compiled(preprocessing)
    computed = np.empty((len(images), _COMPARED), np.float32)
    for start in range(0, len(images), _BATCH):
        piece = images[start : start + _BATCH]
        ready = np.stack([prepare_image(pixels, preprocessing) for pixels in piece])
        answer = compute(tf.constant(ready)).numpy()
        computed[start : start + len(piece)] = answer[:, :_COMPARED]
    return computed


@functools.lru_cache(maxsize=4)
def _compiled(
    preprocessing: Preprocessing,
) -> Callable[[tf.Tensor], tf.Tensor]:
    network = frozen_backbone(preprocessing)
    signature = [tf.TensorSpec((None, *preprocessing.shape), tf.uint8)]

    def compute(pixels: tf.Tensor) -> tf.Tensor:
        return network(pixels, training=False)

    return tf.function(compute, input_signature=signature)


def usual_features(detector: OodDetector, count: int) -> np.ndarray | None:
    """What enters the last layer of a model for a usual training image, (d,).

    Of a model of an earlier version, which had no other features than are compared.

    Args:
        detector: The model's, of its own features.
        count: How many features enter its last layer.

    Returns:
        None where that is not known.
    """
    return detector.mean[:_COMPARED] if count == _COMPARED else None


def detector_vectors(
    detector: OodDetector, images: np.ndarray, last_features: np.ndarray
) -> np.ndarray:
    """The vectors that a detector compares, one per image.

    Args:
        detector: The model's detector.
        images: uint8 (n, height, width, channels), prepared for the model.
        last_features: (n, d) what enters the model's last layer.
    """
    if detector.own:
        return ood_vectors(last_features[:, :_COMPARED], images)
    return ood_vectors(frozen_features(images, detector.size), images)
