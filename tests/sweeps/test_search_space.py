"""Search spaces: what is refused, and what a trial's settings become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import ConfigError
from medmodel.core.settings.network_names import FROZEN_MODELS
from medmodel.core.settings.recipes import RECIPES
from medmodel.core.storage import read_as, write_json
from medmodel.runs.progress.time_plan import time_plan
from medmodel.sweeps.search_space import (
    AUGMENTATIONS,
    MOST_TRIALS,
    Dimension,
    SweepConfig,
    encoders_sweep,
    expected_seconds,
    recipes_sweep,
    trial_config,
)
from tests.encoder_files import write_encoder

BASE = config_for("compact", "/data", seed=7, patient_pattern="p(.)")


def sweep(**space: Dimension) -> SweepConfig:
    return SweepConfig(BASE, space)


def test_values_become_settings() -> None:
    values = {
        "model": "document_cnn",
        "size": 64.0,
        "learning_rate": 0.01,
        "batch_size": 8,
        "augmentation": "strong",
        "mixup": 0.2,
        "ema": 0.99,
    }
    config = trial_config(sweep(), values)
    assert (config.model, config.size, config.batch_size) == ("document_cnn", 64, 8)
    assert config.learning_rate == 0.01 and config.seed == 7
    assert config.augmentation == AUGMENTATIONS["strong"][1]
    assert (config.mixup, config.ema) == (0.2, 0.99)
    assert isinstance(config.size, int)


def test_encoders_bring_their_own_size_and_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path))
    write_encoder(tmp_path, "own")
    instant = config_for("instant", "/data", seed=7, size=128)
    compared = encoders_sweep(instant, ["own"])
    compared.check()
    names = compared.space["model"].choices
    assert names == ("efficientnet_lite0", *FROZEN_MODELS, "encoder:own")
    assert compared.trials == 3
    assert compared.compares_encoders and not recipes_sweep(BASE).compares_encoders
    usual, both, own = (trial_config(compared, {"model": name}) for name in names)
    assert (usual.size, own.size, own.encoder, own.seed) == (128, 0, "own", 7)
    assert both == replace(usual, model=str(names[1]))
    sized = replace(compared, space={**compared.space, "size": Dimension((64, 96))})
    with pytest.raises(ConfigError, match="own input size"):
        sized.check()
    (tmp_path / "own.json").unlink()
    with pytest.raises(ConfigError, match="own"):
        trial_config(compared, {"model": "encoder:own"})


def test_all_recipes_on_the_same_split() -> None:
    compared = recipes_sweep(BASE)
    compared.check()
    names = compared.space["recipe"].choices
    assert set(names) == {"instant", "compact", "document"}
    assert compared.trials == len(names)
    assert compared.grid_size == len(names) and not compared.prune
    for name in names:
        config = trial_config(compared, {"recipe": name})
        assert config.recipe == name
        assert (config.seed, config.patient_pattern) == (7, "p(.)")
        own = RECIPES[str(name)].settings
        assert config.training == own.get("training", TrainConfig.training)


@pytest.mark.parametrize(
    ("space", "field"),
    [
        ({}, "space"),
        ({"seed": Dimension((1, 2))}, "space"),
        ({"size": Dimension((), 64, 64)}, "size"),
        ({"size": Dimension((), 128, 64)}, "size"),
        ({"learning_rate": Dimension((), 0, 0.1, True)}, "learning_rate"),
        ({"learning_rate": Dimension((0.1, 0.1))}, "learning_rate"),
        ({"learning_rate": Dimension((0.1, 7.0))}, "learning_rate"),
        ({"model": Dimension((), 1, 2)}, "model"),
        ({"model": Dimension(("no_such",))}, "model"),
        ({"augmentation": Dimension(("huge",))}, "augmentation"),
        ({"size": Dimension((64, 5000))}, "size"),
        ({"batch_size": Dimension((), 0, 8)}, "batch_size"),
    ],
)
def test_what_could_not_be_trained_is_refused(
    space: dict[str, Dimension], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        SweepConfig(BASE, space).check()
    assert caught.value.field == field


@pytest.mark.parametrize("trials", [0, MOST_TRIALS + 1])
def test_the_number_of_trials_is_bounded(trials: int) -> None:
    varied = sweep(size=Dimension((64, 96)))
    with pytest.raises(ConfigError):
        replace(varied, trials=trials).check()


def test_combinations_are_counted() -> None:
    both = sweep(size=Dimension((64, 96)), batch_size=Dimension((8, 16, 32)))
    assert both.grid_size == 6
    assert sweep(learning_rate=Dimension((), 1e-4, 1e-2)).grid_size is None


def test_it_survives_its_file(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "sweep.json"
    varied = sweep(size=Dimension((64, 96)), learning_rate=Dimension((), 1e-4, 1, True))
    write_json(path, varied)
    assert read_as(path, SweepConfig) == varied
    assert msgspec.json.decode(path.read_bytes())["trials"] == 10


def test_the_expected_time_is_that_of_all_trials(tmp_path: Path) -> None:
    recipes = recipes_sweep(BASE)
    each = [
        time_plan(trial_config(recipes, {"recipe": name}), 300, tmp_path).whole
        for name in recipes.space["recipe"].choices
    ]
    assert expected_seconds(recipes, 300, tmp_path) == pytest.approx(sum(each))
    sizes = Dimension((32, 64))
    few, many = (
        replace(sweep(size=sizes), trials=1),
        replace(sweep(size=sizes), trials=50),
    )
    whole = [time_plan(replace(BASE, size=s), 300, tmp_path).whole for s in (32, 64)]
    assert expected_seconds(few, 300, tmp_path) == pytest.approx(sum(whole) / 2)
    # There are no more than two combinations.
    assert expected_seconds(many, 300, tmp_path) == pytest.approx(sum(whole))
    rates = sweep(learning_rate=Dimension((), 1e-4, 1e-2, True))
    one = time_plan(BASE, 300, tmp_path).whole
    assert expected_seconds(rates, 300, tmp_path) == pytest.approx(10 * one)
