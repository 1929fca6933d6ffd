"""What can be told of an image before any network sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageTraits:
    """What can be told of an image before any network sees it.

    Args:
        side: Its shorter side in pixels.
        colour: Mean over the pixels of the largest minus the smallest channel, 0 to
            255; 0 for grey.
    """

    side: int
    colour: float


def image_traits(pixels: NDArray[np.uint8]) -> ImageTraits:
    """What can be told of an image, uint8 (height, width, channels), as it came."""
    height, width, channels = pixels.shape
    if channels == 1:
        return ImageTraits(min(height, width), 0.0)
    step = max(1, min(height, width) // 128)
    few = pixels[::step, ::step].astype(np.int16)
    return ImageTraits(min(height, width), round(float(np.ptp(few, axis=2).mean()), 2))
