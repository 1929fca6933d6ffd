"""Pixels and Pillow images; grey stored as colour to one channel and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def from_pixels(pixels: Pixels) -> Image.Image:
    """A Pillow image of uint8 (height, width, 1 or 3)."""
    pixels = np.ascontiguousarray(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def to_pixels(image: Image.Image) -> Pixels:
    """A Pillow image of mode L or RGB as uint8 (height, width, 1 or 3)."""
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def of_colour(image: Image.Image) -> Pixels:
    """The pixels of an RGB image; one channel where all three are equal.

    Channel by channel that is told while they are copied: sooner than Pillow makes an
    array of all three.

    Returns:
        uint8 (height, width, 1 or 3), read-only.
    """
    red = image.tobytes("raw", "R")
    if any(image.tobytes("raw", other) != red for other in "GB"):
        return np.asarray(image)
    return np.frombuffer(red, np.uint8).reshape(image.height, image.width, 1)


def as_colour(grey: Pixels) -> Pixels:
    """Three equal channels.

    Args:
        grey: uint8 (height, width, 1).
    """
    pixels = np.empty((*grey.shape[:2], 3), np.uint8)
    for channel in range(3):  # all at once it takes four times as long
        pixels[..., channel] = grey[..., 0]
    return pixels


def single_channel(pixels: Pixels) -> Pixels:
    """One channel where all three are equal, as in grey stored as RGB; else the same.

    Args:
        pixels: uint8 (height, width, 1 or 3).
    """
    if pixels.shape[2] == 1 or not _equal(pixels[::16, ::16]):
        return pixels
    return np.ascontiguousarray(pixels[..., :1]) if _equal(pixels) else pixels


def _equal(pixels: Pixels) -> bool:
    flat = pixels.reshape(-1)
    # In one run over memory this is ten times as fast as channel by channel.
    differs = flat[1:] != flat[:-1]
    differs[2::3] = False  # the next pixel
    return not differs.any()
