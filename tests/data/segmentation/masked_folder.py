"""A small drawn data set of discs with their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw_disc(
    size: tuple[int, int], centre: tuple[float, float], radius: float
) -> np.ndarray:
    """Boolean (height, width): the pixels whose centres lie in the disc."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def draw_masked_folder(
    folder: Path, images: int = 12, side: int = 40, seed: int = 0
) -> Path:
    """Images of bright discs with noise, three of four of them with a disc.

    Args:
        folder: Gets the folders images and masks.
        images: How many; each is a patient.
        side: Of the images in pixels.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(images):
        centre = tuple(rng.uniform(12, side - 12, 2))
        disc = draw_disc((side, side), centre, 7) & bool(number % 4)
        values = (60 + 120 * disc + rng.normal(0, 8, disc.shape)).clip(0, 255)
        name = f"p{number:02}.png"
        Image.fromarray(values.astype(np.uint8)).save(folder / "images" / name)
        mask = Image.fromarray(disc.astype(np.uint8) * 255)
        mask.save(folder / "masks" / name)
    return folder
