"""Recipes: named starting points for the settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION
from medmodel.language import N_, _

IMPORTED = "imported"
"""Stands for a recipe with models that were trained elsewhere."""
ENSEMBLE = "ensemble"
"""Stands for a recipe with models that are made of other runs' models."""


@dataclass(frozen=True)
class Recipe:
    """A named starting point for `TrainConfig`.

    Args:
        title: What the form calls it.
        summary: One sentence for somebody who has never trained a network.
        settings: Values that differ from the defaults of `TrainConfig`.
    """

    title: str
    summary: str
    settings: Mapping[str, Any]


RECIPES: dict[str, Recipe] = {
    "instant": Recipe(
        N_("Instant"),
        N_(
            "A pretrained network of which only the last layer is trained. "
            "Curves move early, and small data sets do well."
        ),
        {},
    ),
    "compact": Recipe(
        N_("Compact CNN"),
        N_("Small residual network, trained from scratch on these images alone."),
        {
            "model": "compact_resnet",
            "training": "scratch",
            "size": 96,
            "colour": "grey",
            "epochs": 20,
            "augmentation": MEDICAL_AUGMENTATION,
            "patience": 6,
        },
    ),
    "document": Recipe(
        N_("Textbook CNN"),
        N_(
            "Two convolutions, two poolings, one dense layer: the textbook "
            "network, from scratch, with the textbook's settings."
        ),
        {
            "model": "document_cnn",
            "training": "scratch",
            "size": 224,
            "fit": "stretch",
            "epochs": 10,
            "class_weights": False,
        },
    ),
    "segmentation": Recipe(
        N_("Segmentation"),
        N_(
            "A U-Net outlines lesions pixel by pixel. It learns from masks: folders "
            "images and masks with files of the same names."
        ),
        {
            "model": "unet_lite0",
            "training": "fine_tune",
            "size": 192,
            "epochs": 12,
            "batch_size": 8,
            "learning_rate": 2e-3,
            "augmentation": MEDICAL_AUGMENTATION,
            "class_weights": False,
            "patience": 4,
        },
    ),
    "custom": Recipe(
        N_("Custom"),
        N_("Every setting is yours; starts as fine-tuning of a pretrained network."),
        {
            "training": "fine_tune",
            "size": 128,
            "epochs": 10,
            "learning_rate": 1e-4,
            "augmentation": MEDICAL_AUGMENTATION,
            "patience": 4,
        },
    ),
}


def recipe_title(recipe: str) -> str:
    """What a recipe is called; one of a newer version as it is written."""
    if recipe == IMPORTED:
        return _("Imported")
    if recipe == ENSEMBLE:
        return _("Ensemble")
    preset = RECIPES.get(recipe)
    return _(preset.title) if preset else recipe
