"""What is compared: features of a network, and a small grey copy of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DEPTHS = (48, 80, 160, 224, 384, 2560)
"""Numbers of each depth among the features, shallow to deep."""
COPY_SIDE = 16
"""Height and width of the small grey copy in pixels."""
WIDTH = sum(DEPTHS) + COPY_SIDE**2


def _mean_channel(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean of the channels, rounded down; `mean(axis=2)` takes ten times as long."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    total = pixels[:, :, 0].astype(np.uint16)
    for channel in range(1, pixels.shape[2]):
        total += pixels[:, :, channel]
    return (total // pixels.shape[2]).astype(np.uint8)


def ood_vectors(features: NDArray[Any], images: NDArray[np.uint8]) -> Floats:
    """Features with the small grey copy beside them.

    Args:
        features: (n, sum of `DEPTHS`).
        images: uint8 (n, height, width, channels).

    Returns:
        float32 (n, `WIDTH`).
    """
    from PIL import Image

    copies = np.empty((len(images), COPY_SIDE**2), np.float32)
    for copy, pixels in zip(copies, images, strict=True):
        grey = Image.fromarray(_mean_channel(pixels))
        small = grey.resize((COPY_SIDE, COPY_SIDE), Image.Resampling.BOX)
        copy[:] = np.asarray(small, np.float32).ravel()
    return np.concatenate([features.astype(np.float32), copies], axis=1)
