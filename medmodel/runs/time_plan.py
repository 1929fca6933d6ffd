"""Phases of a training with guesses of their length, for the estimate of time left."""

from __future__ import annotations

from pathlib import Path

from medmodel.core.config import TrainConfig
from medmodel.runs.time_left import FILE, Part, TimeLeft

_CHECK = 0.002
_PREPARE = 0.002
_FEATURES = 0.015
"""Seconds per image of 128 by 128 pixels through the frozen network, two cores."""
_STEP_PIXEL = 4e-7
"""Seconds per pixel of a training step through a small network, two cores."""
_HEAD_PASS = 5e-5
_PILOT = 40.0
_COPIES = 0.0005
_REFERENCE = 0.02
"""Seconds per image to fit what tells familiar images from others."""


def time_plan(config: TrainConfig, images: int, workspace: Path) -> TimeLeft:
    """The plan of a run before anything of its data set is known but a number.

    Args:
        config: The run's settings.
        images: How many images its data set has, roughly.
        workspace: Where the speeds of earlier runs are kept.
    """
    network = f"{config.model}-{config.training}-{config.size}"
    side = config.size or 128
    network_seconds = _FEATURES * (side / 128) ** 2
    held_out = round(images * (config.val_fraction + config.test_fraction))
    training = max(images - held_out, 1)
    parts = [Part("checking", images, _CHECK, "checking")]
    if config.training == "frozen" and not config.size:
        parts.append(Part("pilot", 0, _PILOT, f"pilot-{config.model}"))
    parts.append(Part("preparing", images, _PREPARE, f"preparing-{side}"))
    if config.training != "scratch":
        parts.append(Part("features", images, network_seconds, f"features-{network}"))
    parts += [
        _training_part(config, training, network),
        Part("copies", 0, _COPIES * images),
        Part("evaluating", held_out, network_seconds, f"evaluating-{network}"),
    ]
    if config.training != "frozen":
        known = Part("evaluating", images, network_seconds, f"reference-{side}")
        parts.append(known)
    fit = Part("reference", 0, _REFERENCE * images, f"reference-of-{images}")
    parts.append(fit)
    return TimeLeft(parts, workspace / FILE)


def _training_part(config: TrainConfig, images: int, network: str) -> Part:
    if config.training == "frozen":
        # The time of a pass grows with the images: it is kept per image.
        return Part("training", config.epochs, _HEAD_PASS * images)
    steps = -(-images // config.batch_size)
    seconds = _STEP_PIXEL * config.batch_size * config.size**2
    key = f"training-{network}-{config.batch_size}"
    return Part("training", config.epochs * steps, seconds, key)
