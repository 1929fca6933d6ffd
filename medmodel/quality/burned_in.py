"""Frames around images and letters in them, which may tell classes apart.

Measured on a sample of each class: what matters is whether classes differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medmodel.core.errors import ImageError
from medmodel.core.processes import pool
from medmodel.imaging import channels, images
from medmodel.quality.burned_in_text import Grey, letters

if TYPE_CHECKING:
    import pandas as pd

PER_CLASS = 250
"""Images of each class that are looked at; a share is then known to 6 points."""
SIDE = 512
"""Longer side, in pixels, of the image that is looked at."""
BLACK, WHITE = 12, 243
"""Grey levels up to and from which an edge counts as plain."""

_STRAIGHT = 0.5
"""A frame ends along a straight line: of the next line so much is plain at most. Air
around a head ends at a point."""

COLUMNS = ["path", "black_frame", "white_frame", "letters"]


def measure(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Frames and letters in a sample of each class.

    Args:
        folder: The data set's folder.
        table: Columns `path`, `label` and `digest` of readable images.

    Returns:
        `path`; `black_frame` and `white_frame`: per cent of its side that the widest
        plain border takes; `letters`: how many marks like letters stand near the edges.
    """
    import pandas as pd

    # By digest, not by name: neighbours in name are often the same patient.
    chosen = table.sort_values("digest").groupby("label").head(PER_CLASS)["path"]
    marks: list[list[object]] = []
    for _, answer in pool.map_chunks(measure_files, chosen.tolist(), str(folder)):
        marks += answer or []
    return pd.DataFrame(marks, columns=COLUMNS).astype(
        {"path": object, "black_frame": float, "white_frame": float, "letters": float}
    )


def measure_files(paths: list[str], folder: str) -> list[list[str | int]]:
    """Path, black and white border, letters of each image; runs in the pool."""
    rows: list[list[str | int]] = []
    for path in paths:
        try:
            pixels = images.decode_data_file(Path(folder), path).pixels
        except (ImageError, OSError):
            continue  # gone since it was indexed: the next check will say so
        grey = _grey(images.thumbnail(channels.single_channel(pixels), SIDE))
        rows.append([path, border(grey <= BLACK), border(grey >= WHITE)])
        rows[-1].append(letters(grey))
    return rows


def border(plain: npt.NDArray[np.bool_]) -> int:
    """Per cent of the side that the widest edge takes which is plain throughout.

    Args:
        plain: (height, width), which pixels are of the colour asked for. Single ones
            may be otherwise: compression is not exact.
    """
    widest = 0.0
    for lines in (plain.mean(axis=1), plain.mean(axis=0)):
        other = np.flatnonzero(lines < 0.99)
        if not len(other):
            continue
        for edge, inside in (
            (int(other[0]), lines[other[0]]),
            (len(lines) - 1 - int(other[-1]), lines[other[-1]]),
        ):
            if inside <= _STRAIGHT:
                widest = max(widest, edge / len(lines))
    return round(100 * widest)


def _grey(pixels: images.Pixels) -> Grey:
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    weighed = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    return np.asarray(weighed.round(), np.uint8)
