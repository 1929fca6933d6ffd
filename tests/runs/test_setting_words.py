"""Settings in words: every field of the configuration has a title, values units."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.settings.recipes import RECIPES
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.runs.setting_words import setting_text, setting_title


def test_every_setting_has_a_title() -> None:
    names = set(asdict(TrainConfig("/x"))) - {"name", "augmentation"}
    parts = {f"augmentation.{p}" for p in asdict(TrainConfig("/x"))["augmentation"]}
    assert set(SETTING_TITLES) == names | parts


def test_a_setting_of_a_newer_version_is_still_readable() -> None:
    assert setting_title("label_smoothing") == "Label smoothing"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("size", 0, "Chosen on validation images"),
        ("size", 64, "64 × 64 pixels"),
        ("patience", 0, "Off"),
        ("patience", 5, "After 5 epochs without a lower loss"),
        ("class_weights", True, "Yes"),
        ("class_weights", False, "No"),
        ("test_fraction", 0.15, "15 %"),
        ("augmentation.rotation", 7.0, "7°"),
        ("augmentation.shift", 0.05, "5 %"),
        ("training", "frozen", "Linear layer on pretrained features"),
        ("weights", "", "Random"),
        ("weights", "/a/b/net.h5", "net.h5"),
        ("steps", (), "None"),
        ("steps", ("clahe", "denoise"), "clahe, denoise"),
        ("recipe", "instant", RECIPES["instant"].title),
        ("recipe", "gone", "gone"),
        ("model", "gone", "gone"),
        ("seed", 0, "0"),
        ("learning_rate", 0.001, "0.001"),
        ("patient_pattern", "", "None: patients are not known"),
    ],
)
def test_values_in_words(name: str, value: object, text: str) -> None:
    assert setting_text(name, value) == text
