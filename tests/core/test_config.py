"""Settings: defaults that train, wrong values told at the field, JSON round trip."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.config_problems import check_config, config_problems
from medmodel.core.environment import data_roots, workspace_root
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import LARGEST_CHANGES, Augmentation
from medmodel.core.settings.recipes import RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_valid_as_they_are(recipe: str) -> None:
    assert config_problems(config_for(recipe, "/data")) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 27),
        ("size", 513),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", 2.0),
        ("patience", -1),
        ("val_fraction", 0.0),
        ("test_fraction", 0.6),
        ("model", "resnet9000"),
        ("optimizer", "magic"),
        ("fit", "squeeze"),
        ("patient_pattern", "("),
    ],
)
def test_a_wrong_value_is_told_at_its_field(field: str, value: Any) -> None:
    config = config_for("compact", "/data", **{field: value})
    assert list(config_problems(config)) == [field]
    with pytest.raises(ConfigError) as caught:
        check_config(config)
    assert caught.value.field == field
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("field", "lowest", "highest", "step"),
    [
        ("size", 28, 512, 1),
        ("epochs", 1, 1000, 1),
        ("batch_size", 1, 1024, 1),
        ("learning_rate", 1e-7, 1.0, 1e-8),
        ("patience", 0, 1000, 1),
        ("seed", 0, 2**31 - 1, 1),
        ("val_fraction", 0.01, 0.5, 0.001),
        ("test_fraction", 0.01, 0.5, 0.001),
        ("folds", 1, 20, 1),
    ],
)
def test_limits_are_allowed_and_nothing_beyond(
    field: str, lowest: float, highest: float, step: float
) -> None:
    def problems(value: float) -> list[str]:
        return list(config_problems(config_for("compact", "/data", **{field: value})))

    assert problems(lowest) == problems(highest) == []
    assert field in problems(lowest - step) and field in problems(highest + step)


def test_fields_that_must_fit_each_other() -> None:
    def problems(**changes: Any) -> list[str]:
        return list(config_problems(config_for("compact", "/data", **changes)))

    assert problems(val_fraction=0.5, test_fraction=0.4) == []
    assert problems(val_fraction=0.5, test_fraction=0.41) == ["test_fraction"]
    assert problems(folds=5, fold=5) == problems(folds=5, fold=1) == []
    assert problems(folds=5, fold=6) == problems(folds=5, fold=0) == ["fold"]
    assert problems(window="40/0") == ["window"]
    moving = Augmentation(shift=0.1)
    frozen = config_for("instant", "/data", augmentation=moving)
    assert list(config_problems(frozen)) == ["augmentation"]


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 5000])
def test_a_pattern_that_is_none(pattern: str) -> None:
    config = config_for("compact", "/data", patient_pattern=pattern)
    assert list(config_problems(config)) == ["patient_pattern"]


def test_a_fold_says_so_in_the_title() -> None:
    whole = config_for("compact", "/data/chest")
    assert whole.title == "Compact CNN on chest"
    fold = config_for("compact", "/data/chest", folds=5, fold=2)
    assert fold.title == "Compact CNN on chest, fold 2 of 5"
    named = config_for("compact", "/data/chest", name="Mine", folds=2, fold=1)
    assert named.title == "Mine, fold 1 of 2"


def test_not_a_number_is_refused() -> None:
    assert "learning_rate" in config_problems(
        config_for("compact", "/data", learning_rate=float("nan"))
    )


def test_frozen_training_needs_the_pretrained_model() -> None:
    assert "training" in config_problems(
        config_for("instant", "/x", model="compact_resnet")
    )


def test_only_frozen_training_chooses_its_size() -> None:
    assert "size" in config_problems(config_for("compact", "/x", size=0))
    assert config_problems(config_for("instant", "/x", size=0)) == {}


def test_unknown_recipe() -> None:
    with pytest.raises(ConfigError, match="no recipe"):
        config_for("magic", "/data")


@given(
    name=st.text(),
    epochs=st.integers(1, 1000),
    rate=st.floats(1e-7, 1.0),
    shift=st.floats(0, 0.5),
)
def test_json_there_and_back(name: str, epochs: int, rate: float, shift: float) -> None:
    config = config_for(
        "custom",
        "/data",
        name=name,
        epochs=epochs,
        learning_rate=rate,
        augmentation=Augmentation(shift=shift),
    )
    values = json.loads(json.dumps(asdict(config)))
    values["from_a_newer_version"] = 1
    assert msgspec.convert(values, TrainConfig) == config


def test_preprocessing_shape() -> None:
    assert Preprocessing(64, "pad", "grey").shape == (64, 64, 1)
    assert Preprocessing(64, "pad", "rgb").shape == (64, 64, 3)


def test_workspace_and_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("MEDMODEL_DATA", f"{tmp_path}/a:{tmp_path}/b")
    assert workspace_root() == tmp_path / "w"
    own = tmp_path / "w" / "datasets"
    assert data_roots() == [tmp_path / "a", tmp_path / "b", own]
    monkeypatch.delenv("MEDMODEL_DATA")
    assert data_roots() == [own]


@pytest.mark.parametrize(
    "changes",
    [
        {"label_smoothing": 0.1},
        {"clip_norm": 1.0},
        {"balanced_sampling": True},
        {"mixup": 0.2},
        {"ema": 0.99},
    ],
)
def test_options_of_descent_are_refused_for_the_last_layer_alone(
    changes: dict[str, Any],
) -> None:
    assert set(config_problems(TrainConfig("/data", **changes))) == set(changes)
    assert not config_problems(config_for("compact", "/data", **changes))
    assert not config_problems(TrainConfig("/data"))


def test_a_segmentation_may_clip_and_average_and_nothing_else() -> None:
    def problems(**changes: Any) -> set[str]:
        return set(config_problems(config_for("segmentation", "/data", **changes)))

    assert not problems(clip_norm=1.0, ema=0.99)
    assert problems(label_smoothing=0.1) == {"label_smoothing"}
    assert problems(balanced_sampling=True) == {"balanced_sampling"}
    assert problems(mixup=0.2) == {"mixup"}
    assert problems(test_time_flips="both") == {"test_time_flips"}


@pytest.mark.parametrize("name, most", [("mixup", 1.0), ("ema", 0.9999)])
def test_limits_of_mixup_and_ema(name: str, most: float) -> None:
    def problems(value: float) -> set[str]:
        return set(config_problems(config_for("compact", "/data", **{name: value})))

    assert not problems(most) and not problems(0.0)
    assert problems(most + 1e-5) == problems(-0.1) == {name}


def test_a_replicate_trains_otherwise_on_the_same_split() -> None:
    seeds = {TrainConfig("/d", seed=3, replicate=n).training_seed for n in range(5)}
    assert len(seeds) == 5 and 3 in seeds
    largest = TrainConfig("/d", seed=2**31 - 1, replicate=1000)
    assert 0 <= largest.training_seed < 2**31 and not config_problems(largest)
    assert config_problems(TrainConfig("/d", replicate=1001)).keys() == {"replicate"}


@pytest.mark.parametrize("name", sorted(LARGEST_CHANGES))
def test_changes_of_images_have_their_limits(name: str) -> None:
    def changed(value: Any) -> Augmentation:
        values: dict[str, Any] = {name: value}
        return Augmentation(**values)

    for value in (-0.1, LARGEST_CHANGES[name] + 0.1, math.nan):
        config = config_for("compact", "/data", augmentation=changed(value))
        assert "must lie between 0 and" in config_problems(config)["augmentation"]
    most = config_for("compact", "/data", augmentation=changed(LARGEST_CHANGES[name]))
    assert not config_problems(most)
