"""What is wrong with the settings of a run: field -> sentence."""

from __future__ import annotations

import re
from typing import get_args

from medmodel.core.config import (
    LARGEST_SIZE,
    SMALLEST_SIZE,
    Flips,
    Optimizer,
    Precision,
    Schedule,
    TrainConfig,
    Training,
)
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Colour, Fit, window_values
from medmodel.core.settings.augmentation import LARGEST_CHANGES
from medmodel.core.settings.enhancement_steps import step_problem
from medmodel.core.settings.network_names import (
    FROZEN_MODELS,
    MODEL_NAMES,
    SEGMENTATION_MODELS,
)
from medmodel.core.settings.recipes import ENSEMBLE
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.language import _

_OF_DESCENT = ("label_smoothing", "clip_norm", "balanced_sampling", "mixup", "ema")
"""Settings of gradient descent, off by default."""
_OF_MASKS = ("clip_norm", "ema")
"""Those that a segmentation has as well."""
_RANGES: list[tuple[str, float, float]] = [
    ("size", 0, LARGEST_SIZE),
    ("epochs", 1, 1000),
    ("batch_size", 1, 1024),
    ("learning_rate", 1e-7, 1.0),
    ("patience", 0, 1000),
    ("label_smoothing", 0.0, 0.5),
    ("clip_norm", 0.0, 1000.0),
    ("mixup", 0.0, 1.0),
    ("ema", 0.0, 0.9999),
    ("seed", 0, 2**31 - 1),
    ("val_fraction", 0.01, 0.5),
    ("test_fraction", 0.01, 0.5),
    ("folds", 1, 20),
    ("replicate", 0, 1000),
]
_CHOICES: dict[str, tuple[str, ...]] = {
    "model": (*MODEL_NAMES, *FROZEN_MODELS, *SEGMENTATION_MODELS),
    "training": get_args(Training),
    "fit": get_args(Fit),
    "colour": get_args(Colour),
    "precision": get_args(Precision),
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "test_time_flips": get_args(Flips),
}


def check_config(config: TrainConfig) -> None:
    """Raises `ConfigError` for the first wrong field."""
    for name, message in config_problems(config).items():
        raise ConfigError(name, message)


def config_problems(config: TrainConfig) -> dict[str, str]:
    """What is wrong, as field -> sentence; empty when all is well."""
    return (
        _problems_of_ranges(config)
        | _problems_of_choices(config)
        | _problems_of_size(config)
        | _problems_of_split(config)
        | _problems_of_encoder(config)
        | _problems_of_frozen_training(config)
        | _problems_of_augmentation(config)
        | _problems_of_segmentation(config)
        | _problems_of_descent(config)
        | _pattern_problem(config.patient_pattern)
        | _window_problem(config.window)
        | step_problem(config.steps)
    )


def _any_size(config: TrainConfig) -> bool:
    """Whether it is as large as its largest member, maybe an encoder's input."""
    return config.recipe == ENSEMBLE


def _problems_of_ranges(config: TrainConfig) -> dict[str, str]:
    """Numbers that are too small or too large."""
    problems: dict[str, str] = {}
    for name, low, high in _RANGES:
        value = getattr(config, name)
        if not low <= value <= high and not (name == "size" and _any_size(config)):
            problems[name] = _(
                "“{setting_word}” must lie between {low:g} and {high:g}; "
                "{value:g} was given.",
                setting_word=_(SETTING_TITLES[name]),
                low=low,
                high=high,
                value=value,
            )
    return problems


def _problems_of_choices(config: TrainConfig) -> dict[str, str]:
    """Words that are none of those to choose from."""
    problems: dict[str, str] = {}
    for name, choices in _CHOICES.items():
        of_folder = name == "model" and config.encoder
        if getattr(config, name) not in choices and not of_folder:
            problems[name] = _(
                "“{setting_word}” must be one of {choices}; {value!r} was given.",
                setting_word=_(SETTING_TITLES[name]),
                choices=", ".join(choices),
                value=getattr(config, name),
            )
    return problems


def _problems_of_size(config: TrainConfig) -> dict[str, str]:
    chosen_itself = config.size == 0 and config.training == "frozen"
    if _any_size(config) or chosen_itself:
        return {}
    if SMALLEST_SIZE <= config.size <= LARGEST_SIZE:
        return {}
    problem = _(
        "Input size must lie between {smallest} and {largest} pixels; "
        "{size} was given. Only frozen training can choose one itself: 0.",
        smallest=SMALLEST_SIZE,
        largest=LARGEST_SIZE,
        size=config.size,
    )
    return {"size": problem}


def _problems_of_split(config: TrainConfig) -> dict[str, str]:
    problems: dict[str, str] = {}
    if not 1 <= config.fold <= max(config.folds, 1):
        problems["fold"] = _(
            "Tested fold must lie between 1 and {folds}.", folds=config.folds
        )
    if config.val_fraction + config.test_fraction > 0.9:
        problems["test_fraction"] = _(
            "Validation and test together may take at most 0.9 of the images."
        )
    return problems


def _problems_of_frozen_training(config: TrainConfig) -> dict[str, str]:
    """Settings that do not fit where only the last layer is trained."""
    problems: dict[str, str] = {}
    frozen = config.model in FROZEN_MODELS or config.encoder
    pretrained = config.model == "efficientnet_lite0" or frozen
    if config.training == "frozen" and not pretrained:
        problems["training"] = _(
            "Frozen training needs pretrained features: choose one of {networks}.",
            networks=", ".join(["efficientnet_lite0", *FROZEN_MODELS]),
        )
    if config.model in FROZEN_MODELS and config.training != "frozen":
        problems["training"] = _(
            "Of two networks together only the last layer is trained: choose "
            "frozen training, or another network."
        )
    return problems


def _problems_of_augmentation(config: TrainConfig) -> dict[str, str]:
    """Changes that are too large, or of images that are read once."""
    for name, most in LARGEST_CHANGES.items():
        value = getattr(config.augmentation, name)
        if not 0 <= value <= most:
            sentence = _(
                "“{setting_word}” must lie between {low:g} and {high:g}; "
                "{value:g} was given.",
                setting_word=_(SETTING_TITLES[f"augmentation.{name}"]),
                low=0,
                high=most,
                value=value,
            )
            return {"augmentation": sentence}
    if config.training == "frozen" and config.augmentation.active:
        sentence = _(
            "Frozen training reads each image once: switch augmentation off, "
            "or choose fine-tuning."
        )
        return {"augmentation": sentence}
    return {}


def _problems_of_encoder(config: TrainConfig) -> dict[str, str]:
    """Settings that do not fit an encoder of the weights folder."""
    problems: dict[str, str] = {}
    if config.encoder and config.training != "frozen":
        problems["training"] = _(
            "An encoder of the weights folder is not changed: only the last layer "
            "is trained."
        )
    if config.encoder and config.size:
        problems["size"] = _(
            "The encoder's own input size is taken: 0; {size} was given.",
            size=config.size,
        )
    return problems


def _problems_of_segmentation(config: TrainConfig) -> dict[str, str]:
    """Settings that do not fit a segmentation, field -> sentence."""
    problems: dict[str, str] = {}
    if config.segments and any(s.startswith(("crop", "borders")) for s in config.steps):
        problems["steps"] = _(
            "A segmentation learns on whole images: leave out the enhancement "
            "steps that cut borders off."
        )
    if config.recipe == "segmentation" and not config.segments:
        problems["model"] = _(
            "The recipe Segmentation needs a network for it: {choices}.",
            choices=", ".join(SEGMENTATION_MODELS),
        )
    if config.model == "compact_unet" and config.training == "fine_tune":
        problems["training"] = _(
            "The compact U-Net has no pretrained weights: train all layers from "
            "scratch."
        )
    return problems


def _problems_of_descent(config: TrainConfig) -> dict[str, str]:
    """Options of gradient descent that would do nothing, field -> sentence."""
    asked = [name for name in _OF_DESCENT if getattr(config, name)]
    if config.training == "frozen":
        sentence = _(
            "This has no effect where only the last layer is trained: switch it "
            "off, or choose fine-tuning."
        )
        return dict.fromkeys(asked, sentence)
    if config.multi_label:
        sentence = _(
            "This is for images of one class each, not for several findings on "
            "one image: switch it off."
        )
        return dict.fromkeys([n for n in asked if n != "clip_norm"], sentence)
    if config.segments:
        sentence = _("This has no effect on a segmentation: switch it off.")
        if config.test_time_flips != "none":
            asked.append("test_time_flips")
        return dict.fromkeys([n for n in asked if n not in _OF_MASKS], sentence)
    return {}


def _window_problem(setting: str) -> dict[str, str]:
    try:
        window_values(setting)
    except ConfigError as error:
        return {error.field: str(error)}
    return {}


def _pattern_problem(pattern: str) -> dict[str, str]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return {
            "patient_pattern": _("Not a regular expression: {reason}.", reason=error)
        }
    return {}
