"""What is measured of every image while a data set is checked.

Numbers small enough to be kept for 100,000 images, that tell odd images and pairs that
look alike without opening a file again.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.imaging.channels import from_pixels
from medmodel.imaging.windows import Pixels

HASH_SIDE = 16
"""A perceptual hash compares 16 × 16 places with their right neighbours: 256 bits."""
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


def _hash(image: Image.Image) -> str:
    """dHash: whether each place is brighter than its right neighbour.

    Neal Krawetz, "Kind of like that" (2013). Not changed by size, format, brightness
    or contrast, and little by compression.
    """
    small = image.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX)
    # Faster than an array of the image itself.
    grey = np.frombuffer(small.tobytes(), np.uint8).reshape(HASH_SIDE, HASH_SIDE + 1)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def hash_array(hashes: list[str]) -> npt.NDArray[np.uint8]:
    """Hashes as (n, 32) bytes."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 32)


def _rotated(file: bytes) -> bool:
    if file.startswith(b"\xff\xd8") and file.find(b"Exif\0", 0, _EXIF_WITHIN) < 0:
        return False  # most JPEG files; opening takes longer than looking
    try:
        with Image.open(io.BytesIO(file)) as image:
            return image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError):
        return False
