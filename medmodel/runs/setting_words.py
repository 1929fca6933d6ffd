"""Training settings and their values as people say them, in tables of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.settings.network_names import model_title
from medmodel.core.settings.recipes import ENSEMBLE, IMPORTED, RECIPES
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.language import N_, _

_FRACTIONS = (
    *("val_fraction", "test_fraction", "augmentation.shift", "augmentation.zoom"),
    *("augmentation.brightness", "augmentation.contrast"),
    "augmentation.corruption",
)
_WORDS = {
    ("training", "frozen"): N_("Linear layer on pretrained features"),
    ("training", "fine_tune"): N_("Fine-tuning"),
    ("training", "scratch"): N_("From scratch"),
    ("fit", "pad"): N_("Black borders"),
    ("fit", "crop"): N_("Cut to the centre"),
    ("fit", "stretch"): N_("Stretched"),
    ("colour", "rgb"): N_("Colour"),
    ("colour", "grey"): N_("Grey"),
    ("window", "auto"): N_("Automatic"),
    ("weights", ""): N_("Random"),
    ("weights", "imagenet"): "ImageNet",
    ("precision", "auto"): N_("Automatic"),
    ("device", "auto"): N_("Automatic"),
    ("device", "cpu"): N_("Processor"),
    ("device", "all_gpus"): N_("All GPUs"),
    ("optimizer", "adam"): "Adam",
    ("schedule", "cosine"): N_("Falls as a cosine"),
    ("schedule", "constant"): N_("Constant"),
    ("schedule", "exponential"): N_("Falls exponentially"),
    ("optimizer", "adamw"): "AdamW",
    ("test_time_flips", "none"): N_("Off"),
    ("test_time_flips", "horizontal"): N_("Averaged over the horizontal flip"),
    ("test_time_flips", "vertical"): N_("Averaged over the vertical flip"),
    ("test_time_flips", "both"): N_("Averaged over both flips"),
    ("optimizer", "sgd"): "SGD",
    ("patient_pattern", ""): N_("None: patients are not known"),
}


_KINDS = {
    "dice": N_("outlines each pixel and is measured by Dice"),
    "auc": N_("gives an image several findings and is measured by their AUC"),
    "accuracy": N_("classifies whole images and is measured by accuracy"),
}
"""`TrainConfig.metric` -> what such a model does."""


def what_it_does(config: TrainConfig) -> str:
    """What a model does and is measured by, as the end of a sentence."""
    return _(_KINDS[config.metric])


def setting_title(name: str) -> str:
    """What a setting is called; one of a newer version as it is written."""
    return _(SETTING_TITLES.get(name, name.replace("_", " ").capitalize()))


def setting_text(name: str, value: Any) -> str:
    """The value of a setting in words, with its unit; "" for one that is not known."""
    if value is None:
        return ""
    if isinstance(value, str) and (name, value) in _WORDS:
        return _(_WORDS[name, value])
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or _("None")
    if name == "recipe" and value == IMPORTED:
        return _("Imported")
    if name == "recipe" and value == ENSEMBLE:
        return _("Ensemble")
    if name == "recipe" and value in RECIPES:
        return _(RECIPES[value].title)
    if name == "model":
        return model_title(str(value))
    if name == "weights":
        return Path(value).name
    if name == "size":
        return (
            _("{side} × {side} pixels", side=value)
            if value
            else _("Chosen on validation images")
        )
    if name == "patience":
        return (
            _("After {epochs} epochs without a lower loss", epochs=value)
            if value
            else _("Off")
        )
    if name in _FRACTIONS:
        return f"{100 * value:g} %"
    if name == "augmentation.rotation":
        return f"{value:g}°"
    return str(value) or _("None")
