"""Images at another size: enlarged, shrunk, cut to a square or padded to one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.imaging.channels import from_pixels, to_pixels

Array = npt.NDArray[Any]

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels, parts of pixels included."""

_GAP = 2
"""Images are first shrunk by a whole factor, each pixel the mean of a block, but stay
so many times as large as they will be: the rest hides that blocks have edges."""


MOST_OBLONG = 32
"""Pixels that are said to be longer than that in one direction are a mistake."""
_LONGEST_SIDE = 8192
"""Longer images are made square along their finer side."""


def isotropic(image: Array, height: float, width: float) -> Array:
    """The image with square pixels, so that lengths look right.

    It is enlarged along the coarser side of its pixels. Pixels that are said to be more
    than `MOST_OBLONG` times as long as wide, or of no size, are taken for square.

    Args:
        image: float32 (height, width), not-a-number where there is no value; or uint8
            (height, width, 1 or 3).
        height: Of a pixel, in any unit.
        width: In the same unit.
    """
    rows, columns = image.shape[:2]
    size = isotropic_size(rows, columns, height, width)
    if size == (columns, rows):
        return image
    if image.dtype == np.uint8:
        pixels = from_pixels(image).resize(size, Image.Resampling.BILINEAR)
        return to_pixels(pixels)
    return _resized_values(image, size)


def isotropic_size(
    rows: int, columns: int, height: float, width: float
) -> tuple[int, int]:
    """Width and height in pixels of what `isotropic` makes of an image.

    Args:
        rows: Of the image.
        columns: Of the image.
        height: Of a pixel, in any unit.
        width: In the same unit.
    """
    fine = min(height, width)
    if not 0 < fine <= max(height, width) <= fine * MOST_OBLONG:
        return columns, rows
    size = round(columns * width / fine), round(rows * height / fine)
    if max(size) > max(_LONGEST_SIDE, rows, columns):
        coarse = max(height, width)
        size = round(columns * width / coarse), round(rows * height / coarse)
        size = max(1, size[0]), max(1, size[1])
    return size


def _resized_values(values: Array, size: tuple[int, int]) -> Array:
    """Between values, and never between a value and a place without one."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return _bilinear(values, size)
    sums = _bilinear(np.where(missing, np.float32(0), values), size)
    weights = _bilinear((~missing).astype(np.float32), size)
    means = sums / np.maximum(weights, np.float32(0.5))
    return np.where(weights < 0.5, np.float32(np.nan), means)


def _bilinear(values: Array, size: tuple[int, int]) -> Array:
    image = Image.fromarray(np.ascontiguousarray(values))
    return np.array(image.resize(size, Image.Resampling.BILINEAR))


def scaled(
    image: Image.Image, width: int, height: int, box: Box | None = None
) -> Image.Image:
    """The image, or what a box cuts out of it, at another size.

    Enlarging is bicubic. When shrinking, the kernel widens with the factor, so that
    nothing aliases: Hamming's, as sharp as the bicubic one in two thirds of the time.

    Args:
        image: Of mode L or RGB.
        width: In pixels, 1 or more.
        height: In pixels, 1 or more.
        box: Default the whole image.
    """
    if image.size == (width, height):
        return image
    left, top, right, bottom = box or (0, 0, *image.size)
    if width > right - left or height > bottom - top:
        return image.resize((width, height), Image.Resampling.BICUBIC, box)
    return image.resize((width, height), Image.Resampling.HAMMING, box, _GAP)


def cropped(image: Image.Image, side: int) -> Image.Image:
    """The middle square of the image, at the size asked for."""
    edge = min(image.size)
    left, top = (image.width - edge) / 2, (image.height - edge) / 2
    return scaled(image, side, side, (left, top, left + edge, top + edge))


def padded(image: Image.Image, side: int) -> Image.Image:
    """The image in the middle of a black square that is as large or larger."""
    if image.size == (side, side):
        return image
    canvas = Image.new(image.mode, (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas
