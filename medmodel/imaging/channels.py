"""Channels: stored samples to grey levels, alpha, CMYK and YCbCr; grey stored as RGB.

The rule is the same for every format of images: samples of 8 bits and fewer are shown
by the range that they can have, larger and signed ones by the range that they do have;
alpha is laid on black.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.imaging.windows import scale_to_uint8

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[Any]

BAND = 2**20
"""Pixels that are converted at a time, so that large images need no copies."""


def to_grey_levels(
    samples: Samples, bits: int, name: str, inverted: bool = False
) -> Pixels:
    """Stored samples of grey, or of red, green and blue, as grey levels.

    Args:
        samples: Real numbers (height, width, 1 or 3).
        bits: How many of an unsigned sample count.
        name: For messages.
        inverted: Whether large values are dark.

    Returns:
        uint8 (height, width, 1 or 3): unsigned samples of up to 8 bits by the range of
        these, all others as `windows.scale_to_uint8` says.

    Raises:
        ImageError: There is no finite value.
    """
    if samples.dtype.kind not in "ub" or bits > 8:
        return scale_to_uint8(samples, name, inverted)
    samples = samples.view(np.uint8) if samples.dtype.kind == "b" else samples
    full = 2**bits - 1
    table = (np.arange(256).clip(0, full) * 255 + full // 2) // full
    table = (255 - table if inverted else table).astype(np.uint8)
    if np.array_equal(table, np.arange(256)):
        return samples
    pixels = np.empty(samples.shape, np.uint8)
    for rows in row_bands(*samples.shape[:2]):
        pixels[rows] = table[samples[rows]]
    return pixels


def lay_on_black(pixels: Pixels, alpha: Samples, bits: int) -> Pixels:
    """What shows of an image that is transparent in parts.

    Args:
        pixels: uint8 (height, width, 1 or 3), not yet multiplied by alpha.
        alpha: (height, width), 0 where nothing shows. Of more than 8 bits, and of other
            numbers, its largest value is opaque, as the image's largest is white.
        bits: How many of an unsigned value count.
    """
    full = 2.0**bits - 1
    if alpha.dtype.kind not in "ub" or bits > 8:
        full = max(float(np.nanmax(alpha[r])) for r in row_bands(*alpha.shape))
    shown = np.empty_like(pixels)
    for rows in row_bands(*alpha.shape):
        opacity = np.nan_to_num(alpha[rows].astype(np.float32) / np.float32(full or 1))
        opacity = opacity.clip(0, 1)[..., None]
        shown[rows] = (pixels[rows] * opacity + np.float32(0.5)).astype(np.uint8)
    return shown


def from_cmyk(inks: Samples, full: float) -> Samples:
    """Red, green and blue of inks, as Pillow has it: (1 - ink) (1 - black).

    Args:
        inks: (height, width, 4), cyan, magenta, yellow and black.
        full: The value of full ink.

    Returns:
        (height, width, 3), the type of `inks`.
    """
    colours = np.empty((*inks.shape[:2], 3), inks.dtype)
    for rows in row_bands(*inks.shape[:2]):
        light = 1 - inks[rows].astype(np.float64) / full
        light = light[..., :3] * light[..., 3:] * full
        colours[rows] = light.round() if inks.dtype.kind == "u" else light
    return colours


def from_ycbcr(
    samples: Samples, weights: tuple[float, ...], levels: tuple[float, ...]
) -> Pixels:
    """Red, green and blue of luma and two differences of colour: TIFF 6.0, section 21.

    Args:
        samples: uint8 (height, width, 3).
        weights: Of red, green and blue in the luma; their sum is 1.
        levels: Of black and white in each of the three samples.
    """
    red, green, blue = weights
    colours = np.empty(samples.shape, np.uint8)
    for rows in row_bands(*samples.shape[:2]):
        stored = np.moveaxis(samples[rows].astype(np.float32), -1, 0)
        luma = (stored[0] - levels[0]) * 255 / (levels[1] - levels[0])
        of_blue = (stored[1] - levels[2]) * 127 / (levels[3] - levels[2])
        of_red = (stored[2] - levels[4]) * 127 / (levels[5] - levels[4])
        r, b = luma + of_red * (2 - 2 * red), luma + of_blue * (2 - 2 * blue)
        g = (luma - blue * b - red * r) / green
        colours[rows] = np.stack([r, g, b], -1).round().clip(0, 255)
    return colours


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turned and mirrored as tag 274 of TIFF and EXIF says.

    Args:
        pixels: (height, width, channels).
        orientation: 1 to 8; anything else leaves the image as it is.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Rows from top to bottom, as many at a time as hold about `BAND` pixels."""
    step = max(1, BAND // max(width, 1))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def from_pixels(pixels: Pixels) -> Image.Image:
    """A Pillow image of uint8 (height, width, 1 or 3)."""
    pixels = np.ascontiguousarray(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def to_pixels(image: Image.Image) -> Pixels:
    """A Pillow image of mode L or RGB as uint8 (height, width, 1 or 3)."""
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def from_image(image: Image.Image) -> Pixels:
    """A Pillow image of any mode of 8 bits as pixels; transparency is laid on black.

    Large images are copied in bands, as Pillow takes four bytes for each pixel of any
    colour, and again as many for every step.

    Returns:
        uint8 (height, width, 1 or 3), read-only; one channel where all three are equal.
    """
    bands = list(row_bands(image.height, image.width))
    if len(bands) == 1:
        return _of_any_mode(image)
    pixels = np.empty((image.height, image.width, 1), np.uint8)
    for rows in bands:
        part = _of_any_mode(image.crop((0, rows.start, image.width, rows.stop)))
        if part.shape[2] > pixels.shape[2]:
            grey = pixels
            pixels = np.empty((image.height, image.width, 3), np.uint8)
            pixels[: rows.start] = grey[: rows.start]
        pixels[rows] = part
    return pixels


def _of_any_mode(image: Image.Image) -> Pixels:
    if image.has_transparency_data:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image).convert("L" if grey else "RGB")
    elif image.mode not in ("L", "RGB"):  # else it would be copied
        image = image.convert("L" if image.mode == "1" else "RGB")
    return to_pixels(image) if image.mode == "L" else of_colour(image)


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
    return all(_equal_in(pixels[rows]) for rows in row_bands(*pixels.shape[:2]))


def _equal_in(pixels: Pixels) -> bool:
    flat = pixels.reshape(-1)
    # In one run over memory this is ten times as fast as channel by channel.
    differs = flat[1:] != flat[:-1]
    differs[2::3] = False  # the next pixel
    return not differs.any()
