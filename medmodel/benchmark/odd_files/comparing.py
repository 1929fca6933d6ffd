"""What an image of a file is read as, against how it is to be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from medmodel.imaging import images
from medmodel.imaging.windows import Pixels


def summary(path: Path) -> tuple[int, ...]:
    """What `images.FOUND` says of a file, as it is read."""
    decoded = images.decode(path)
    levels = decoded.pixels.min(), decoded.pixels.max(), decoded.pixels.mean().round()
    return *decoded.pixels.shape, decoded.frames, *map(int, levels)


def read_difference(
    write: Callable[[], bytes],
    expected: Pixels,
    frame: int,
    frames: int,
    tolerance: int = 0,
) -> str:
    """What differs between an image of a file and how it is to be read, in words."""
    decoded = images.decode(write(), frame=frame)
    if decoded.frames != frames:
        return f"{decoded.frames} images instead of {frames}"
    if decoded.pixels.shape != expected.shape:
        return f"{decoded.pixels.shape} instead of {expected.shape}"
    off = int(np.abs(decoded.pixels.astype(int) - expected).max())
    return "the same" if off <= tolerance else f"a grey level is off by {off}"
