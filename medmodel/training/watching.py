"""Watched images: a few validation images, followed while a network learns."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from medmodel.imaging.images import png_bytes
from medmodel.runs.progress import watched
from medmodel.runs.progress.watched import Watched, WatchedImage
from medmodel.training.context import TrainingContext

FEWEST, MOST = 4, 6
"""Images that are watched; one of each class, more of each where classes are few."""


def watched_rows(context: TrainingContext) -> np.ndarray:
    """Row numbers of the images to watch: always the same for a split and a seed.

    One validation image of each class, of the classes with most training images first
    where there are too many.
    """
    rng = np.random.default_rng(context.config.seed)
    rows = rng.permutation(context.rows("val"))
    training = context.targets[context.rows("train")]
    counts = np.bincount(training, minlength=len(context.classes))
    of_class = [rows[context.targets[rows] == k] for k in np.argsort(-counts)]
    chosen: list[int] = []
    for place in range(FEWEST):
        for candidates in of_class:
            wanted = MOST if place == 0 else FEWEST
            if len(candidates) > place and len(chosen) < wanted:
                chosen.append(int(candidates[place]))
    return np.array(sorted(chosen, key=lambda row: (context.targets[row], row)), int)


def begin_watching(context: TrainingContext, epoch: int) -> np.ndarray:
    """Keeps the images and forgets scores after an epoch; returns the images' rows."""
    rows = watched_rows(context)
    images = [
        WatchedImage(
            context.classes[context.targets[row]],
            watched.image_uri(png_bytes(np.asarray(context.prepared.pixels[row]))),
        )
        for row in rows
    ]
    watched.begin(context.run, Watched(context.classes, images), epoch)
    return rows


class WatchImages(keras.callbacks.Callback):
    """Writes the scores of the watched images after every epoch.

    Draws no random number and changes no weight: training is the same without it.

    Args:
        context: The run.
        epoch: Epochs that are finished.
    """

    def __init__(self, context: TrainingContext, epoch: int) -> None:
        super().__init__()
        self.run = context.run
        rows = begin_watching(context, epoch)
        self.pixels = np.asarray(context.prepared.pixels[rows])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Asks the network as it is now."""
        if len(self.pixels):
            scores = self.model(self.pixels, training=False)
            numbers = keras.ops.convert_to_numpy(keras.ops.cast(scores, "float32"))
            watched.append_scores(self.run, epoch + 1, numbers)
