"""Images that an exported model and the run's are asked, as the model sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.data.folders import safe_folder
from medmodel.data.prepared import prepare
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split

MOST_IMAGES = 64
"""Test images that both models are asked."""
FEWEST_IMAGES = 32
MOST_ANSWERS = 8_000_000
"""Probabilities of a segmentation's pixels that are compared: 32 MB of each model."""


def comparison_images(run: Run, job: Job) -> tuple[NDArray[np.uint8], int]:
    """Test images as the model sees them, with noise where these are too few.

    Returns:
        uint8 (n, height, width, channels), and how many of them are noise.
    """
    facts, most = run.model_facts, MOST_IMAGES
    shape = facts.preprocessing.shape
    if facts.mask_values:
        # Each pixel is an answer: fewer images say as much, and all are in memory.
        answers = shape[0] * shape[1] * len(facts.class_names)
        most = max(1, min(most, MOST_ANSWERS // answers))
    test = split_images(run, "test", most, job)
    missing = max(0, min(FEWEST_IMAGES, most) - len(test))
    noise = np.random.default_rng(0).integers(0, 256, (missing, *shape), np.uint8)
    return np.concatenate([test, noise]), missing


def split_images(run: Run, split: str, most: int, job: Job) -> NDArray[np.uint8]:
    """Some images of a split, always the same; none where they cannot be read."""
    preprocessing = run.model_facts.preprocessing
    none = np.empty((0, *preprocessing.shape), np.uint8)
    if run.imported:  # whose images nobody here knows
        return none
    try:
        table = read_split(run)
        rows = table[table["split"] == split]
        if rows.empty:
            return none
        rows = rows.sample(min(most, len(rows)), random_state=0)
        folder = safe_folder(run.config.dataset)
        return np.asarray(prepare(folder, rows, preprocessing, job).pixels)
    except DataError:  # its folder is away
        return none


def with_mirrored(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images, mirrored across and down too: few have two classes about as probable.

    What rounding changes there it changes in images of the kind; whether answers to
    mirrored ones are right does not matter.
    """
    across = np.concatenate([images, images[:, :, ::-1]])
    return np.concatenate([across, across[:, ::-1]])
