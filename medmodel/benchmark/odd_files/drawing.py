"""An image that is known exactly, to be written in many ways and read back.

What is read back is known exactly where the writing is lossless: a hundredth of the
pixels is black and as many are white, so that the range of large samples is that of the
image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medmodel.imaging.windows import Pixels

Samples = npt.NDArray[Any]


class Variant(NamedTuple):
    """One way to write an image.

    Args:
        name: Container, depth and layout.
        write: Makes the file.
        expected: uint8 (height, width, 1 or 3) as it is to be read.
        tolerance: How far a grey level may be off; 0 where nothing is lost.
    """

    name: str
    write: Callable[[], bytes]
    expected: Pixels
    tolerance: int = 0


class Drawing(NamedTuple):
    """An image with soft slopes, some black and some white.

    Args:
        grey: uint8 (height, width, 1).
        colour: uint8 (height, width, 3).
        alpha: uint8 (height, width, 1): nothing, everything and halves.
    """

    grey: Pixels
    colour: Pixels
    alpha: Pixels


DEPTHS: dict[str, Callable[[Samples], Samples]] = {
    # name -> stored samples of grey levels
    "uint8": lambda x: x.astype(np.uint8),
    "int8": lambda x: (x - 128).astype(np.int8),
    "uint16": lambda x: (x * 257).astype(np.uint16),
    "12 bits in uint16": lambda x: (x * 16).astype(np.uint16),
    "int16": lambda x: (x * 16 - 2000).astype(np.int16),
    "uint32": lambda x: (x * 2**24).astype(np.uint32),
    "int32": lambda x: ((x - 128) * 2**23).astype(np.int32),
    "uint64": lambda x: (x * 2**50).astype(np.uint64),
    "int64": lambda x: ((x - 128) * 2**50).astype(np.int64),
    "float16": lambda x: (x / 64 - 1).astype(np.float16),
    "float32": lambda x: (x / 255).astype(np.float32),
    "float64": lambda x: (x * 1e6 - 1e3).astype(np.float64),
}


TURNS: dict[int, Callable[[Samples], Samples]] = {
    # TIFF 6.0, Orientation -> what was done to the image that is stored
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: np.rot90,
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


def draw(height: int = 40, width: int = 56, seed: int = 0) -> Drawing:
    """Soft waves whose lengths and directions chance chooses."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows * chance.uniform(0.02, 0.2) + columns * chance.uniform(0.02, 0.2))
        for _ in range(3)
    ]
    colour = (np.stack(waves, -1) * 100 + 128).astype(np.uint8)
    border = max(1, height // 12)
    colour[:border], colour[-border:] = 0, 255
    grey = colour[..., :1].copy()
    alpha = np.full((height, width, 1), 255, np.uint8)
    alpha[:, : width // 4], alpha[:, width // 4 : width // 2] = 0, 128
    return Drawing(grey, colour, alpha)


def on_black(pixels: Pixels, alpha: Samples) -> Pixels:
    """What shows of an image; alpha from 0 to 1."""
    return (pixels * alpha + 0.5).astype(np.uint8)
