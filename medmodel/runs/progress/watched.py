"""Watched images of a run: a few validation images with their scores after each epoch.

Kept as watched.json (labels and the images as the network sees them) and watched.csv (a
row per epoch).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medmodel.core.errors import FileError
from medmodel.core.storage import append_rows, read_as, write_json
from medmodel.runs.run import Run
from medmodel.runs.tables.curves import rewind

FILE = "watched.json"
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class WatchedImage:
    """One image.

    Args:
        label: Its true class.
        png: The image as a data URI, as the network sees it.
    """

    label: str
    png: str


@dataclass(frozen=True)
class Watched:
    """What watched.json holds.

    Args:
        classes: Names, in the order of the scores.
        images: In the order of the columns of watched.csv.
    """

    classes: list[str]
    images: list[WatchedImage]


def table_path(run: Run) -> Path:
    """The table of scores: `epoch`, then `score_<image>_<class>`, both from 0."""
    return run.folder / "watched.csv"


def columns(images: int, classes: int) -> tuple[str, ...]:
    """Names of the table's columns."""
    names = (f"score_{i}_{k}" for i in range(images) for k in range(classes))
    return ("epoch", *names)


def image_uri(png: bytes) -> str:
    """A PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def read_watched(run: Run) -> Watched | None:
    """The images; None where there are none, or the file is damaged.

    They only illustrate: without them the run is what it was.
    """
    path = run.folder / FILE
    try:
        if not path.exists() or path.stat().st_size > _MOST_BYTES:
            return None
        return read_as(path, Watched)
    except (FileError, OSError):
        return None


def begin(run: Run, images: Watched, epoch: int) -> None:
    """Writes the images, and keeps the scores up to an epoch.

    Args:
        run: The run.
        images: The images; scores of other ones go.
        epoch: The last that stays; 0 to begin anew.

    Raises:
        OSError: The disk is full or fails.
    """
    names = columns(len(images.images), len(images.classes))
    if read_watched(run) != images:
        table_path(run).unlink(missing_ok=True)
        write_json(run.folder / FILE, images)
    rewind(table_path(run), names, epoch)


def append_scores(run: Run, epoch: int, scores: Sequence[Sequence[float]]) -> None:
    """Adds the scores after an epoch.

    Args:
        run: The run.
        epoch: 1-based.
        scores: (images, classes), each row summing to 1.

    Raises:
        OSError: The disk is full or fails.
    """
    array = np.asarray(scores, np.float64)
    row = [str(epoch), *(f"{score:.4g}" for score in array.ravel())]
    append_rows(table_path(run), columns(*array.shape), [row])
