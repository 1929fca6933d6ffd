"""Phases of a training with guesses of their length, for the estimate of time left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medmodel.core.config import TrainConfig
from medmodel.core.settings.network_names import FROZEN_MODELS
from medmodel.core.settings.recipes import ENSEMBLE
from medmodel.runs.progress.time_left import FILE, Part, TimeLeft

# Seconds of two cores that have a little other work.
_CHECK = 0.001
_PREPARE = 0.001
_FEATURES = 0.0015
"""Per image of 128 by 128 pixels through the frozen network (measured: 0.0012)."""
_TOGETHER = 2.5
"""Times that Lite0 and Lite2 together take it."""
_STEP_PIXEL = 3e-7
"""Seconds per pixel of a training step through the smallest network."""
_STEP_COST = {"document_cnn": 1.0, "compact_resnet": 1.5, "unet_lite0": 13.0}
"""Times that a network's step takes it."""
_OTHER_STEP_COST = 4.0
_FIRST_STEP = {"document_cnn": 1.5}
_OTHER_FIRST_STEP = 8.0
"""Seconds until a network is built and has made its first step."""
_FIRST_ANSWER = 0.5
"""Seconds until a network is read and has answered for the first time."""
_FIRST_BLOCK = 4.5
"""Seconds until a batch has read its model and the first images are answered."""
_HEAD_PASS, _HEAD_IMAGE = 0.04, 2e-5
"""Of a pass over all features, and of each image's in it."""
_PILOT_IMAGES, _PILOT_COST, _PILOT_UNIT = 750, 8, 0.0015
"""Images of the pilot at most, units to try one at both sizes, seconds for a unit."""
_COPIES, _COPIES_IMAGE = 2.0, 5e-4
_FITTED, _JUDGED, _CROSS_FITTED, _FEWEST_FOLDS = 1000, 400, 6000, 5
"""Images of the out-of-distribution detector, and how its cross-fit is divided."""
_FOLD = 0.0001
"""Seconds per image and fold of that cross-fit."""


_MEMBERS = 3
"""Models of a usual ensemble."""


def time_plan(config: TrainConfig, images: int, workspace: Path) -> TimeLeft:
    """The plan of a run before anything of its data set is known but a number.

    Args:
        config: The run's settings.
        images: How many images its data set has, roughly.
        workspace: Where the speeds of earlier runs are kept.
    """
    network = f"{config.model}-{config.training}-{config.size}"
    side = config.size or 128
    network_seconds = _network_seconds(config)
    held_out = round(images * (config.val_fraction + config.test_fraction))
    training = max(images - held_out, 1)
    if config.recipe == ENSEMBLE:
        return TimeLeft(_ensemble_parts(config, images), workspace / FILE)
    parts = [Part("checking", images, _CHECK, "checking")]
    if config.training == "frozen" and not config.size and not config.encoder:
        tried = _PILOT_COST * min(images, _PILOT_IMAGES)
        parts.append(Part("pilot", tried, _PILOT_UNIT, f"trying-{config.model}"))
    parts.append(Part("preparing", images, _PREPARE, f"preparing-{side}"))
    if config.training != "scratch" and not config.segments:
        key = f"features-{network}"
        parts.append(Part("features", images, network_seconds, key))
    key_of_answers = f"evaluating-{network}"
    parts += [
        _training_part(config, training, network),
        Part("evaluating", held_out, network_seconds, key_of_answers, _FIRST_ANSWER),
        *_reference_parts(config, images, training),
        # What is left of the search once the answers are there.
        replace(_copies(images), key=f"copies-after-answers-of-{images}"),
    ]
    return TimeLeft(parts, workspace / FILE)


def batch_plan(config: TrainConfig, images: int, workspace: Path) -> TimeLeft:
    """The plan of a batch of so many images.

    Args:
        config: The settings of the batch, which are those of its model.
        images: How many have no answer yet.
        workspace: Where the speeds of earlier batches are kept.
    """
    seconds = _network_seconds(config)
    key = f"predicting-{config.model}-{config.training}-{config.size}"
    part = Part("predicting", images, seconds, key, _FIRST_BLOCK)
    return TimeLeft([part], workspace / FILE)


def _network_seconds(config: TrainConfig) -> float:
    """Of an image's way through the network."""
    together = _TOGETHER if config.model in FROZEN_MODELS else 1.0
    return together * _FEATURES * ((config.size or 128) / 128) ** 2


def _ensemble_parts(config: TrainConfig, images: int) -> list[Part]:
    """Nothing is trained: networks are read, and asked about what was held out."""
    held_out = round(images * (config.val_fraction + config.test_fraction))
    seconds = _MEMBERS * _FEATURES * (config.size / 128) ** 2
    key = f"ensemble-{config.size}"
    return [
        Part("checking", images, _CHECK, "checking"),
        Part("members", _MEMBERS, _FIRST_ANSWER, "members"),
        Part("preparing", images, _PREPARE, f"preparing-{config.size}"),
        _copies(images),
        Part("evaluating", held_out, seconds, key, _FIRST_ANSWER),
        *_reference_parts(config, images, max(images - held_out, 1)),
    ]


def _copies(images: int) -> Part:
    """The search for near copies of test images among the others."""
    seconds = _COPIES + _COPIES_IMAGE * images
    return Part("copies", 0, seconds, f"copies-of-{images}")


def _training_part(config: TrainConfig, images: int, network: str) -> Part:
    if config.training == "frozen":
        # The time of a pass grows with the images.
        seconds = _HEAD_PASS + _HEAD_IMAGE * images
        key = f"training-{network}-{images}"
        return Part("training", config.epochs, seconds, key)
    steps = -(-images // config.batch_size)
    seconds = _STEP_PIXEL * config.batch_size * config.size**2
    seconds *= _STEP_COST.get(config.model, _OTHER_STEP_COST)
    start = _FIRST_STEP.get(config.model, _OTHER_FIRST_STEP)
    key = f"training-{network}-{config.batch_size}"
    return Part("training", config.epochs * steps, seconds, key, start)


def _reference_parts(config: TrainConfig, images: int, training: int) -> list[Part]:
    """What tells familiar images from others is fitted after the last prediction."""
    fitted = min(training, _FITTED)
    # One fit of all images before the cross-fit, and one after it.
    fits = reference_folds(fitted) + 2
    fit = Part("reference", fits, _FOLD * fitted, f"fit-of-{fitted}")
    if config.training == "frozen" and not config.encoder:
        return [fit]
    judged = min(round(images * config.val_fraction), _JUDGED)
    key = f"reference-{min(config.size or 128, 128)}"
    return [
        Part("evaluating", fitted, _FEATURES, key, _FIRST_ANSWER),
        Part("evaluating", judged, _FEATURES, f"judged-{min(config.size or 128, 128)}"),
        fit,
    ]


def reference_folds(fitted: int) -> int:
    """Folds of the detector's cross-fit, where each image is a patient's of its own."""
    return min(max(_FEWEST_FOLDS, _CROSS_FITTED // max(fitted, 1)), fitted)
