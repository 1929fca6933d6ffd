"""Test-time augmentation: the mean prediction over an image and its mirror images."""

from __future__ import annotations

import keras

from medmodel.core.config import Flips

_HEIGHT, _WIDTH = 1, 2
AXES: dict[Flips, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (_WIDTH,)),
    "vertical": ((), (_HEIGHT,)),
    "both": ((), (_WIDTH,), (_HEIGHT,), (_HEIGHT, _WIDTH)),
}
"""Which axes of a batch are reversed for each image that is predicted on."""


def averaged_over_flips(model: keras.Model, flips: Flips) -> keras.Model:
    """The same input, and the mean of the probabilities over its mirror images.

    Args:
        model: uint8 (n, height, width, channels) to probabilities (n, num_classes).
        flips: Which; `"none"` gives back the model itself.
    """
    if flips == "none":
        return model
    images = model.input
    mirrored = [keras.ops.flip(images, axis=a) if a else images for a in AXES[flips]]
    mean = keras.layers.Average(name="mean_over_flips", dtype="float32")
    return keras.Model(images, mean([model(each) for each in mirrored]))
