"""Training settings and their values as people say them, in tables of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medmodel.core.config import MODEL_NAMES, RECIPES

TITLES = {
    "dataset": "Data set",
    "recipe": "Recipe",
    "model": "Network",
    "training": "Training",
    "weights": "Initial weights",
    "size": "Input size",
    "fit": "Fit to the input size",
    "colour": "Colour",
    "window": "Window of scans",
    "steps": "Enhancement steps",
    "epochs": "Epochs at most",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "optimizer": "Optimizer",
    "augmentation.shift": "Augmentation: shift",
    "augmentation.rotation": "Augmentation: rotation",
    "augmentation.zoom": "Augmentation: zoom",
    "augmentation.brightness": "Augmentation: brightness",
    "augmentation.contrast": "Augmentation: contrast",
    "augmentation.flip_horizontal": "Augmentation: horizontal flip",
    "augmentation.flip_vertical": "Augmentation: vertical flip",
    "class_weights": "Class weights",
    "patience": "Early stopping",
    "precision": "Arithmetic precision",
    "seed": "Seed",
    "device": "Device",
    "val_fraction": "Validation fraction",
    "test_fraction": "Test fraction",
    "patient_pattern": "Patient ID pattern",
    "folds": "Folds of the cross-validation",
    "fold": "Tested fold",
}
"""Field of `TrainConfig`, parts as `augmentation.shift` -> what it is called."""
_FRACTIONS = (
    *("val_fraction", "test_fraction", "augmentation.shift", "augmentation.zoom"),
    *("augmentation.brightness", "augmentation.contrast"),
)
_WORDS = {
    ("training", "frozen"): "Linear layer on pretrained features",
    ("training", "fine_tune"): "Fine-tuning",
    ("training", "scratch"): "From scratch",
    ("fit", "pad"): "Black borders",
    ("fit", "crop"): "Cut to the centre",
    ("fit", "stretch"): "Stretched",
    ("colour", "rgb"): "Colour",
    ("colour", "grey"): "Grey",
    ("window", "auto"): "Automatic",
    ("weights", ""): "Random",
    ("weights", "imagenet"): "ImageNet",
    ("precision", "auto"): "Automatic",
    ("device", "auto"): "Automatic",
    ("device", "cpu"): "Processor",
    ("device", "all_gpus"): "All GPUs",
    ("optimizer", "adam"): "Adam",
    ("optimizer", "adamw"): "AdamW",
    ("optimizer", "sgd"): "SGD",
    ("patient_pattern", ""): "None: patients are not known",
}


def setting_title(name: str) -> str:
    """What a setting is called; one of a newer version as it is written."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def setting_text(name: str, value: Any) -> str:
    """The value of a setting in words, with its unit."""
    if isinstance(value, str) and (name, value) in _WORDS:
        return _WORDS[name, value]
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "None"
    if name == "recipe" and value in RECIPES:
        return RECIPES[value].title
    if name == "model":
        return MODEL_NAMES.get(value, str(value))
    if name == "weights":
        return Path(value).name
    if name == "size":
        return f"{value} × {value} pixels" if value else "Chosen on validation images"
    if name == "patience":
        return f"After {value} epochs without a lower loss" if value else "Off"
    if name in _FRACTIONS:
        return f"{100 * value:g} %"
    if name == "augmentation.rotation":
        return f"{value:g}°"
    return str(value) or "None"
