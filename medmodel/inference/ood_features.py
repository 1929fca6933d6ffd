"""Features of training images, kept beside a model, and of pictures asked about."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood import OodDetector, ood_vectors
from medmodel.imaging.images import prepare_image
from medmodel.networks import features
from medmodel.networks.models import frozen_backbone

_BATCH = 32


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
    network = frozen_backbone(preprocessing)
    signature = [tf.TensorSpec((None, *preprocessing.shape), tf.uint8)]

    def compute(pixels: tf.Tensor) -> tf.Tensor:
        return network(pixels, training=False)

    return tf.function(compute, input_signature=signature)


def usual_features(reference: OodDetector | None) -> np.ndarray | None:
    """What enters the last layer of a model for a usual training image, (d,).

    None where that is not known, or no feature of the model's own.
    """
    if reference is None or not reference.own:
        return None
    return reference.mean[: features.FEATURES]


def detector_vectors(
    reference: OodDetector, images: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """What a reference compares.

    Args:
        reference: The model's reference.
        images: uint8 (n, height, width, channels), prepared for the model.
        own: (n, d) what enters the model's last layer.
    """
    found = own if reference.own else frozen_features(images, reference.size)
    return ood_vectors(found, images)
