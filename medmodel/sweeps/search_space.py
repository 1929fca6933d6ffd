"""Search space of a sweep: which settings vary, over which values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import check_config
from medmodel.core.errors import ConfigError, WeightsError
from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION, Augmentation
from medmodel.core.settings.network_names import (
    ENCODER_PREFIX,
    FROZEN_MODELS,
    MODEL_NAMES,
    SEGMENTATION_MODELS,
)
from medmodel.core.settings.recipes import RECIPES
from medmodel.language import N_, _
from medmodel.model_import.encoders import encoder_settings, read_encoder
from medmodel.runs.progress.time_plan import time_plan
from medmodel.sweeps.candidates import CANDIDATES, MOST_MINUTES, candidate_config

MOST_TRIALS = 200
FEWEST_TO_PRUNE = 3
"""Finished trials before one is ended early: the median of fewer says nothing."""
AUGMENTATIONS: dict[str, tuple[str, Augmentation]] = {
    "none": (N_("None"), Augmentation()),
    "medical": (N_("Small changes"), MEDICAL_AUGMENTATION),
    "strong": (
        N_("Large changes"),
        Augmentation(
            shift=0.1, rotation=15.0, zoom=0.15, brightness=0.15, contrast=0.25
        ),
    ),
    "corrupted": (
        N_("Small changes, half of the images corrupted"),
        replace(MEDICAL_AUGMENTATION, corruption=0.5),
    ),
}
PARAMETERS: dict[str, str] = {
    "recipe": N_("Recipe"),
    "model": N_("Network"),
    "size": N_("Input size"),
    "learning_rate": N_("Learning rate"),
    "batch_size": N_("Batch size"),
    "augmentation": N_("Augmentation"),
    "mixup": N_("Mixup"),
    "ema": N_("Weight averaging (EMA)"),
    "candidate": N_("Candidate"),
}
"""Settings that a sweep may vary -> what they are called."""
VARIED = tuple(name for name in PARAMETERS if name not in ("recipe", "candidate"))
"""Those that people choose."""
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "size": int,
    "learning_rate": float,
    "batch_size": int,
    "mixup": float,
    "ema": float,
}
_SHARED = (
    *("dataset", "seed", "device", "val_fraction", "test_fraction"),
    *("patient_pattern", "window", "steps", "colour", "fit", "precision"),
)
"""What a sweep over recipes keeps from its base: the same data, split alike."""
CLASSIFICATION_RECIPES = tuple(
    name
    for name, recipe in RECIPES.items()
    if recipe.settings.get("model") not in SEGMENTATION_MODELS
)
COMPARED_RECIPES = tuple(name for name in CLASSIFICATION_RECIPES if name != "custom")


@dataclass(frozen=True)
class Dimension:
    """The values of one setting.

    Args:
        choices: A list to choose from; or else
        low: The smallest value of a range, and
        high: the largest.
        log: Whether a value is as likely to be ten times smaller as ten times larger.
    """

    choices: tuple[str | int | float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))  # JSON gives a list

    @property
    def is_range(self) -> bool:
        """Whether any value between two may be tried."""
        return not self.choices


@dataclass(frozen=True)
class SweepConfig:
    """Everything that defines a sweep; stored as its sweep.json.

    Args:
        base: Settings of all trials, but for those that vary.
        space: Setting of `PARAMETERS` -> its values.
        trials: How many are tried at most.
        prune: Whether a trial that lies behind most others is ended early.
        name: What people call it; may be empty.
        created: Seconds since 1970.
        minutes: Of a sweep over candidates, see `best`, in which it ends; else 0.
    """

    base: TrainConfig
    space: Mapping[str, Dimension] = field(default_factory=dict)
    trials: int = 10
    prune: bool = True
    name: str = ""
    created: float = 0.0
    minutes: int = 0

    @property
    def compares_encoders(self) -> bool:
        """Whether nothing but the network varies, encoders among them."""
        models = self.space["model"].choices if set(self.space) == {"model"} else ()
        return any(_is_encoder("model", model) for model in models)

    @property
    def grid_size(self) -> int | None:
        """How many combinations there are; None with a range among them."""
        product = 1
        for dimension in self.space.values():
            if dimension.is_range:
                return None
            product *= len(dimension.choices)
        return product

    def check(self) -> None:
        """Refuses a sweep none of whose trials could be trained.

        Raises:
            ConfigError: A value is wrong.
        """
        if not self.space:
            raise ConfigError("space", _("Choose at least one setting that varies."))
        if "candidate" in self.space and not 1 <= self.minutes <= MOST_MINUTES:
            raise ConfigError(
                "minutes",
                _("Give between 1 and {most:,} minutes.", most=MOST_MINUTES),
            )
        if not 1 <= self.trials <= MOST_TRIALS:
            raise ConfigError(
                "trials",
                _("Try between 1 and {most} combinations.", most=MOST_TRIALS),
            )
        for name, dimension in self.space.items():
            _check_dimension(name, dimension)
        for values in _corners(self.space):
            check_config(trial_config(self, values))


def _check_dimension(name: str, dimension: Dimension) -> None:
    if name not in PARAMETERS:
        raise ConfigError("space", _("A sweep does not vary {name!r}.", name=name))
    title = _(PARAMETERS[name])
    if dimension.is_range:
        if name not in NUMBERS or not dimension.low < dimension.high:
            raise ConfigError(
                name,
                _(
                    "{setting_word}: a range goes from a smaller to a larger number.",
                    setting_word=title,
                ),
            )
        if dimension.log and dimension.low <= 0:
            raise ConfigError(
                name, _("{setting_word}: must be above 0.", setting_word=title)
            )
        return
    if len(set(dimension.choices)) < len(dimension.choices):
        raise ConfigError(
            name, _("{setting_word}: a value occurs twice.", setting_word=title)
        )
    known_values: dict[str, Collection[Any]] = {
        "recipe": RECIPES,
        "model": MODEL_NAMES | FROZEN_MODELS,
        "augmentation": AUGMENTATIONS,
        "candidate": CANDIDATES,
    }
    known = known_values.get(name, dimension.choices)
    unknown = [
        choice
        for choice in dimension.choices
        if choice not in known and not _is_encoder(name, choice)
    ]
    if unknown:
        raise ConfigError(
            name,
            _(
                "{setting_word}: there is no {value!r}.",
                setting_word=title,
                value=unknown[0],
            ),
        )


def _is_encoder(name: str, choice: object) -> bool:
    """Whether a network is one of the weights folder."""
    return name == "model" and str(choice).startswith(ENCODER_PREFIX)


def _corners(space: Mapping[str, Dimension]) -> list[dict[str, Any]]:
    """Each value of a list, and each end of a range, once; the rest as at first."""
    ends = {
        name: dimension.choices or (dimension.low, dimension.high)
        for name, dimension in space.items()
    }
    first = {name: values[0] for name, values in ends.items()}
    return [{**first, name: v} for name, values in ends.items() for v in values]


def trial_config(sweep: SweepConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The settings of one trial.

    A recipe brings all of its settings; of the sweep's base the data set, its split and
    its preprocessing stay.

    Args:
        sweep: The sweep.
        values: Setting -> value.
    """
    config = sweep.base
    if "candidate" in values:
        return candidate_config(config, str(values["candidate"]))
    if "recipe" in values:
        chosen = RECIPES[str(values["recipe"])]
        same = {name: getattr(config, name) for name in _SHARED}
        config = TrainConfig(
            **{**chosen.settings, **same, "recipe": str(values["recipe"])}
        )
    changes: dict[str, Any] = {}
    if "model" in values:
        changes = _network_settings(str(values["model"]))
    # After it: a size that an encoder does not take is refused, not left out unsaid.
    changes |= {
        name: NUMBERS[name](value) for name, value in values.items() if name in NUMBERS
    }
    if "augmentation" in values:
        changes["augmentation"] = AUGMENTATIONS[str(values["augmentation"])][1]
    return replace(config, **changes)


def _network_settings(model: str) -> dict[str, Any]:
    """Settings that a network brings: one of the weights folder its own size.

    Raises:
        ConfigError: That encoder cannot be used (any more).
    """
    if not model.startswith(ENCODER_PREFIX):
        return {"model": model}
    key = model.removeprefix(ENCODER_PREFIX)
    try:
        return encoder_settings(read_encoder(key), key)
    except WeightsError as error:
        raise ConfigError("model", str(error)) from error


def encoders_sweep(base: TrainConfig, encoders: Sequence[str]) -> SweepConfig:
    """The networks that come along, and each encoder, once on the same split.

    Args:
        base: Settings of the recipe Instant: data set, seed, split and window.
        encoders: Names of encoders of the weights folder.
    """
    own = dict.fromkeys([base.model, *FROZEN_MODELS])
    names = [*own, *(f"{ENCODER_PREFIX}{key}" for key in encoders)]
    space = {"model": Dimension(tuple(names))}
    return SweepConfig(base, space, len(names), prune=False)


def recipes_sweep(base: TrainConfig) -> SweepConfig:
    """Every recipe once on the same data and the same split.

    Args:
        base: Names the data set, seed, split and window.
    """
    return SweepConfig(
        base=base,
        space={"recipe": Dimension(COMPARED_RECIPES)},
        trials=len(COMPARED_RECIPES),
        prune=False,
    )


def expected_seconds(sweep: SweepConfig, images: int, workspace: Path) -> float:
    """How long all trials take, were each to make all of its epochs.

    Args:
        sweep: The sweep; `check` has found nothing wrong.
        images: How many images its data set has, roughly.
        workspace: Where the speeds of earlier runs are kept.
    """
    seconds = [
        time_plan(trial_config(sweep, values), images, workspace).whole
        for values in _corners(sweep.space)
    ]
    trials = min(sweep.trials, sweep.grid_size or sweep.trials)
    return trials * sum(seconds) / len(seconds)


def best_sweep(base: TrainConfig, minutes: int) -> SweepConfig:
    """The candidates that fit into a time, and an ensemble of the best.

    Args:
        base: Names the data set, seed, split and preprocessing.
        minutes: After which it has ended.
    """
    return SweepConfig(
        base=base,
        space={"candidate": Dimension(tuple(CANDIDATES))},
        trials=len(CANDIDATES) + 1,
        prune=False,
        minutes=minutes,
    )
