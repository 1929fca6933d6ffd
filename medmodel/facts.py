"""What is measured of every image while a data set is checked.

Numbers small enough to be kept for 100,000 images, that tell odd images and pairs that
look alike without opening a file again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.images import Pixels

HASH_SIDE = 16
"""A perceptual hash compares 16 × 16 places with their right neighbours: 256 bits."""
_ORIENTATION = 0x0112
_EXIF_WITHIN = 4096
"""Bytes; EXIF stands first in a JPEG file, at most after a small JFIF header."""

Facts = dict[str, str | int]
COLUMNS: dict[str, type] = {
    "hash": str,
    "mean": int,
    "spread": int,
    "white": int,
    "rotated": int,
}


def measure(path: Path, pixels: Pixels, file_format: str) -> Facts:
    """The facts of one image.

    Returns:
        `hash`: 64 hexadecimal digits; `mean` and `spread` (standard deviation) of grey
        levels, 0 to 255; `white`: per cent of pixels at 255; `rotated`: whether EXIF
        says that the picture lies on its side or head.
    """
    grey = _grey(pixels)
    counts = np.array(grey.histogram(), np.float64) / (grey.width * grey.height)
    levels = np.arange(256)
    mean = float(counts @ levels)
    return {
        "hash": _hash(grey),
        "mean": round(mean),
        "spread": round(float(counts @ (levels - mean) ** 2) ** 0.5),
        "white": round(100 * float(counts[255])),
        "rotated": int(file_format in ("JPEG", "TIFF", "WEBP") and _rotated(path)),
    }


def perceptual_hash(pixels: Pixels) -> str:
    """dHash: whether each place is brighter than its right neighbour.

    Neal Krawetz, "Kind of like that" (2013). Not changed by size, format, brightness
    or contrast, and little by compression.
    """
    return _hash(_grey(pixels))


def _grey(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return image.convert("L")


def _hash(image: Image.Image) -> str:
    small = image.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX)
    grey = np.asarray(small)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def hash_array(hashes: list[str]) -> npt.NDArray[np.uint8]:
    """Hashes as (n, 32) bytes."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 32)


def _rotated(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_EXIF_WITHIN)
        if head.startswith(b"\xff\xd8") and b"Exif\0" not in head:
            return False  # most JPEG files; opening takes longer than looking
        with Image.open(path) as image:
            return image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError):
        return False
