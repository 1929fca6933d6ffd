"""Drawn images of two findings that can be told at a glance, and their table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

FINDINGS = ("bright", "striped")


def draw_findings_folder(folder: Path, images: int = 48, side: int = 40) -> Path:
    """A quarter of the images each: bright, striped, both, neither; two per patient.

    Args:
        folder: Gets the images and findings.csv.
        images: How many.
        side: Of an image in pixels.
    """
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = ["file,patient,bright,striped"]
    for number in range(images):
        bright, striped = number // 2 % 2, number // 4 % 2
        pixels = random.integers(0, 60, (side, side)) + 120 * bright
        if striped:
            pixels[:, ::8] += 70
        name = f"images/{number:03}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        lines.append(f"{name},p{number // 2},{bright},{striped}")
    (folder / "findings.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder
