"""What is measured of every image while a data set is checked.

Numbers small enough to be kept for 100,000 images, that tell odd images and pairs that
look alike without opening a file again.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.imaging.channels import from_pixels
from medmodel.imaging.windows import Pixels

HASH_SIDE = 16
HASH_LENGTH = 32
"""A perceptual hash is so many coefficients of the cosine transform of 16 × 16 places,
a byte each."""
_ORIENTATION = 0x0112
_EXIF_WITHIN = 4096
"""Bytes; EXIF stands first in a JPEG file, at most after a small JFIF header."""
_SIDE = 64
"""What is measured is measured on an image whose shorter side has at least so many
pixels, each the mean of whole blocks of pixels; smaller images stay as they are."""

Stats = dict[str, Any]


def measure(file: bytes, pixels: Pixels, file_format: str) -> Stats:
    """The statistics of one image, named as in `index_table.SampleRow`.

    Args:
        file: Its content.
        pixels: uint8 (height, width, 1 or 3); one channel is faster than three equal.
        file_format: As in `DecodedImage`.

    Returns:
        `hash`: 64 hexadecimal digits; `mean` and `spread` (standard deviation) of grey
        levels, 0 to 255; `white`: per cent of the image at 255; `rotated`: whether
        EXIF says that the image lies on its side or head; `colour`: mean distance
        between the largest and the smallest channel, 0 to 255, 0 is grey; `red` and
        `blue`: how far these lie above green on average, -255 to 255. Grey images
        have none of the last three.
    """
    small = _small(pixels)
    grey = small if small.mode == "L" else small.convert("L")
    content = grey.tobytes()
    values = np.frombuffer(content, np.uint8).astype(np.float64)
    mean = float(values.sum()) / len(values)
    square = float(values @ values) / len(values)
    return {
        "hash": _hash(grey),
        "mean": round(mean),
        "spread": round(max(square - mean**2, 0) ** 0.5),
        "white": round(100 * content.count(b"\xff") / len(values)),
        "rotated": int(file_format in ("JPEG", "TIFF", "WEBP") and _rotated(file)),
        **(_colours(small) if pixels.shape[2] == 3 else {}),
    }


def _small(pixels: Pixels) -> Image.Image:
    image = from_pixels(pixels)
    return image.reduce(max(1, min(image.size) // _SIDE))


def _colours(small: Image.Image) -> Stats:
    values = np.asarray(small).reshape(-1, 3)
    red, green, blue = values.mean(axis=0).tolist()
    distance = values.max(axis=1) - values.min(axis=1)
    return {
        "colour": round(float(distance.mean())),
        "red": round(red - green),
        "blue": round(blue - green),
    }


def _lowest_frequencies() -> npt.NDArray[np.int64]:
    sides = range(HASH_SIDE)
    by_frequency = sorted(((u, v) for u in sides for v in sides), key=sum)
    return np.array(by_frequency[1 : HASH_LENGTH + 1])


FREQUENCIES = _lowest_frequencies()
"""(`HASH_LENGTH`, 2) half waves down and across of each number of a hash."""


def _waves() -> npt.NDArray[np.float32]:
    """Orthonormal two-dimensional DCT-II without the mean, (`HASH_LENGTH`, pixels)."""
    places = (2 * np.arange(HASH_SIDE) + 1) / (2 * HASH_SIDE)
    waves = np.cos(np.pi * np.arange(HASH_SIDE)[:, None] * places)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    both = np.array([np.outer(waves[u], waves[v]).ravel() for u, v in FREQUENCIES])
    return both.astype(np.float32)


_WAVES = _waves()


def _hash(image: Image.Image) -> str:
    """The lowest frequencies of an image as a vector of length 1, rounded to bytes.

    Like pHash (Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010), but with the coefficients themselves, not their signs: where an
    image is flat, a sign is a coin toss and a coefficient is small. Not changed by
    size, format, brightness or contrast, and little by compression or a small crop.
    """
    small = image.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BICUBIC)
    # Faster than an array of the image itself.
    grey = np.frombuffer(small.tobytes(), np.uint8).astype(np.float32)
    waves = _WAVES @ grey
    length = math.sqrt(float(waves @ waves))
    if length < HASH_SIDE:  # one grey level on average: nothing but noise
        return "00" * HASH_LENGTH
    return np.rint(waves * (127 / length)).astype(np.int8).tobytes().hex()


def hash_array(hashes: list[str]) -> npt.NDArray[np.int8]:
    """Hashes as (n, 32) numbers; all 0 where an image shows next to nothing."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.int8).reshape(
        -1, HASH_LENGTH
    )


def _rotated(file: bytes) -> bool:
    if file.startswith(b"\xff\xd8") and file.find(b"Exif\0", 0, _EXIF_WITHIN) < 0:
        return False  # most JPEG files; opening takes longer than looking
    try:
        with Image.open(io.BytesIO(file)) as image:
            return image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError):
        return False
