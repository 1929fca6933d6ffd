"""How often intervals of a reading room hold the truth; readers and images vary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark.validity.simulation import Asked
from medmodel.evaluation.clinical.random_readers import mean_of_readers, readers_against
from medmodel.evaluation.intervals.estimate import where_enough
from medmodel.evaluation.intervals.minima import MINIMA, all_images

READERS = (2, 3, 5, 10, 30)
IMAGES = (10, 15, 20, 40)
_TRUTH = 400_000
"""Pairs of a reader and an image from which a truth is known."""


@dataclass(frozen=True)
class Room:
    """Who reads what.

    Args:
        title: What it is called.
        skill: Mean of the readers' log-odds of being right at a usual image.
        between: Standard deviation of the readers' skills.
        difficulty: Of the images.
        model: What the model's log-odds are beyond the mean reader's.
    """

    title: str
    skill: float
    between: float
    difficulty: float
    model: float


ROOMS = [
    Room("alike", 1.0, 0.2, 1.0, 0.5),
    Room("students and experts", 1.0, 0.9, 1.0, 0.8),
    Room("easy", 2.5, 0.5, 1.5, 0.0),
    Room("hard", 0.2, 0.5, 1.5, 0.6),
]


def asked_readers(room: Room, simulations: int, seed: int) -> Iterator[Asked]:
    """Readers' mean accuracy, and against a model, of every drawn room.

    Args:
        room: The population.
        simulations: Rooms of each number of readers and images.
        seed: The same seed draws the same rooms.
    """
    rng = np.random.default_rng(seed)
    mean, model = _truth(room, rng)
    for readers in READERS:
        for images in IMAGES:
            for _ in range(simulations):
                correct, right = _draw(room, readers, images, rng)
                group = all_images(None, images)
                alone = mean_of_readers(correct, None)
                against, _p = readers_against(correct, right, None)
                for name, estimate, truth in (
                    ("readers' mean accuracy", alone, mean),
                    ("readers against a model", against, mean - model),
                ):
                    least = MINIMA["accuracy"].images
                    shown = where_enough(estimate, "accuracy", group)
                    yield Asked(name, images, False, least, shown, truth)


def _truth(room: Room, rng: np.random.Generator) -> tuple[float, float]:
    """How often a reader, and the model, is right: each pair is drawn for itself."""
    from scipy.special import expit

    easy = room.skill + room.difficulty * rng.normal(size=_TRUTH)
    reader = expit(easy + room.between * rng.normal(size=_TRUTH))
    return float(reader.mean()), float(expit(easy + room.model).mean())


def _draw(
    room: Room, readers: int, images: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each reader, (readers, images), and the model, (images,), is right."""
    from scipy.special import expit

    easy = room.difficulty * rng.normal(size=images)
    skill = room.skill + room.between * rng.normal(size=(readers, 1))
    correct = rng.random((readers, images)) < expit(skill + easy)
    model = rng.random(images) < expit(room.skill + room.model + easy)
    return correct, model
