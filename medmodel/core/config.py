"""Training settings: everything that defines one run, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from medmodel.core.control_characters import one_line
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Colour, Fit, Preprocessing, window_values
from medmodel.core.settings.augmentation import LARGEST_CHANGES, Augmentation
from medmodel.core.settings.enhancement_steps import step_problem
from medmodel.core.settings.network_names import (
    ENCODER_PREFIX,
    FROZEN_MODELS,
    MODEL_NAMES,
    SEGMENTATION_MODELS,
)
from medmodel.core.settings.recipes import ENSEMBLE, RECIPES, recipe_title
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.language import _

Training = Literal["frozen", "fine_tune", "scratch"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["cosine", "constant", "exponential"]
Flips = Literal["none", "horizontal", "vertical", "both"]

SMALLEST_SIZE, LARGEST_SIZE = 28, 512


@dataclass(frozen=True)
class TrainConfig:
    """Everything that defines one run; stored as the run's config.json.

    Args:
        dataset: Absolute path of the data set's folder.
        name: What people call the run; may be empty.
        recipe: Key of `RECIPES` from which the settings started.
        model: Key of `MODEL_NAMES`, `FROZEN_MODELS` or `SEGMENTATION_MODELS`; or
            `encoder:` and the name of an encoder of the weights folder.
        training: `"frozen"` learns a linear layer on pretrained features,
            `"fine_tune"` then unfreezes all, `"scratch"` starts from random weights.
        weights: Path of a local weights file for Keras models, or `imagenet` to let
            Keras download its own; empty for random.
        size: Input height and width in pixels, 28 to 512; 0 lets validation data
            choose (frozen training only).
        fit, colour, window, steps: See `Preprocessing`.
        epochs: Passes over the training images, 1 to 1000.
        batch_size: Images per step, 1 to 1024.
        learning_rate: Step size of the optimizer, above 0, at most 1.
        optimizer: Key understood by `keras.optimizers.get`.
        schedule: How the learning rate falls: `"cosine"` to a hundredth, `"constant"`
            not at all, `"exponential"` by the same factor in every step, to a
            hundredth as well. All of them warm up for at most an epoch.
        label_smoothing: Share of the true class's probability that is spread over all
            classes in training, 0 to 0.5; 0 for none.
        clip_norm: Largest length of the gradient of all weights together; 0 for no
            limit.
        balanced_sampling: Whether every class comes equally often in an epoch, images
            of rare ones several times; class weights are not applied then.
        mixup: Parameter alpha of the Beta distribution by which pairs of training
            images and their labels are blended, 0 to 1; 0 for none.
        ema: Share of itself that the moving average of the weights keeps in every
            step, 0 to 0.9999, such as 0.99; 0 for none. The averages are validated and
            saved.
        test_time_flips: Over which mirror images a prediction is averaged, too.
        tensorboard: Whether each epoch is written for TensorBoard as well.
        augmentation: Random changes to training images.
        class_weights: Whether rare classes weigh more (inverse frequency).
        patience: Epochs without a better validation loss before stopping; 0 = never.
        precision: Arithmetic; `"auto"` times a few steps, once per machine, network
            and size, and says what it chose.
        seed: Seed of split, initial weights, order and augmentation; see `replicate`.
        device: `"auto"`, `"cpu"`, `"gpu:0"`, ... or `"all_gpus"`.
        val_fraction: Share of training images held out where no val split exists.
        test_fraction: Share of images held out where no test split exists.
        patient_pattern: Regular expression whose first group (or whole match) in the
            relative path is the patient; empty if patients are unknown.
        folds: Parts of a cross-validation, at most 20; 1 for a single split.
        fold: Which of them is tested, from 1; see `splits.assign_splits`.
        multi_label: Whether an image may have several findings, or none. The data set
            says so, and the worker writes it here when the run begins.
        replicate: Another number gives other initial weights, another order and other
            augmentation on the same split, 0 to 1000.
    """

    dataset: str
    name: str = ""
    recipe: str = "instant"
    model: str = "efficientnet_lite0"
    training: Training = "frozen"
    weights: str = ""
    size: int = 0
    fit: Fit = "pad"
    colour: Colour = "rgb"
    window: str = "auto"
    steps: tuple[str, ...] = ()
    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: Optimizer = "adam"
    schedule: Schedule = "cosine"
    label_smoothing: float = 0.0
    clip_norm: float = 0.0
    balanced_sampling: bool = False
    mixup: float = 0.0
    ema: float = 0.0
    test_time_flips: Flips = "none"
    tensorboard: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    class_weights: bool = True
    patience: int = 0
    precision: Precision = "auto"
    seed: int = 0
    device: str = "auto"
    val_fraction: float = 0.15
    test_fraction: float = 0.2
    patient_pattern: str = ""
    folds: int = 1
    fold: int = 1
    multi_label: bool = False
    replicate: int = 0

    @property
    def training_seed(self) -> int:
        """Seed of initial weights, order and augmentation; `seed` is the split's."""
        return (self.seed + 7919 * self.replicate) % 2**31

    @property
    def segments(self) -> bool:
        """Whether it is a segmentation, which learns from masks, not from classes."""
        return self.model in SEGMENTATION_MODELS

    @property
    def encoder(self) -> str:
        """Name of the encoder of the weights folder whose features it learns on."""
        named = self.model.startswith(ENCODER_PREFIX)
        return self.model.removeprefix(ENCODER_PREFIX) if named else ""

    @property
    def metric(self) -> Literal["accuracy", "dice", "auc"]:
        """What is followed beside the loss, and heads its columns in the tables."""
        if self.multi_label:
            return "auc"
        return "dice" if self.segments else "accuracy"

    @property
    def title(self) -> str:
        """The name, or recipe and data set where there is none; and the fold."""
        title = one_line(self.said_name) or _(
            "{recipe} on {dataset}",
            recipe=self.recipe_title,
            dataset=one_line(Path(self.dataset).name),
        )
        if self.folds == 1:
            return title
        return _(
            "{title}, fold {fold} of {folds}",
            title=title,
            fold=self.fold,
            folds=self.folds,
        )

    @property
    def recipe_title(self) -> str:
        """What the recipe is called; one of a newer version as it is written."""
        return recipe_title(self.recipe)

    @property
    def said_name(self) -> str:
        """The name: as somebody gave it, or in the present language where none did.

        What the program adds to a name is kept in English.
        """
        if not self.dataset and self.name.startswith("Run "):
            # Its settings are lost, see `Run.config`.
            return _("Run {id}", id=self.name.removeprefix("Run "))
        seed, place = f", seed {self.seed}", Path(self.dataset).name
        tested = f", tested on {place}"
        if self.name.endswith(seed):
            title = self.name.removesuffix(seed)
            return _("{title}, seed {seed}", title=title, seed=self.seed)
        if not self.name.endswith(tested):
            return self.name
        model = self._said_model(self.name.removesuffix(tested))
        return _("{model}, tested on {folder}", model=model, folder=place)

    def _said_model(self, title: str) -> str:
        """A model's title that was made in English; a name as somebody gave it."""
        start = f"{RECIPES[self.recipe].title} on " if self.recipe in RECIPES else " "
        if not title.startswith(start):
            return title
        parts = re.fullmatch(
            r"(.*?)(?:, fold (\d+) of (\d+))?", title[len(start) :], re.DOTALL
        )
        assert parts  # anything fits
        return replace(
            self,
            name="",
            dataset=parts[1],
            fold=int(parts[2] or 1),
            folds=int(parts[3] or 1),
        ).title

    def preprocessing(self, size: int) -> Preprocessing:
        """How images are prepared at this size."""
        return Preprocessing(size, self.fit, self.colour, self.window, self.steps)

    def problems(self) -> dict[str, str]:
        """What is wrong, as field -> sentence; empty when all is well."""
        return (
            self._problems_of_ranges()
            | self._problems_of_choices()
            | self._problems_of_size()
            | self._problems_of_split()
            | self._problems_of_encoder()
            | self._problems_of_frozen_training()
            | self._problems_of_augmentation()
            | self._problems_of_segmentation()
            | self._problems_of_descent()
            | _pattern_problem(self.patient_pattern)
            | _window_problem(self.window)
            | step_problem(self.steps)
        )

    @property
    def _any_size(self) -> bool:
        """Whether it is as large as its largest member, maybe an encoder's input."""
        return self.recipe == ENSEMBLE

    def _problems_of_ranges(self) -> dict[str, str]:
        """Numbers that are too small or too large."""
        problems: dict[str, str] = {}
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high and not (name == "size" and self._any_size):
                problems[name] = _(
                    "“{setting_word}” must lie between {low:g} and {high:g}; "
                    "{value:g} was given.",
                    setting_word=_(SETTING_TITLES[name]),
                    low=low,
                    high=high,
                    value=value,
                )
        return problems

    def _problems_of_choices(self) -> dict[str, str]:
        """Words that are none of those to choose from."""
        problems: dict[str, str] = {}
        for name, choices in _CHOICES.items():
            of_folder = name == "model" and self.encoder
            if getattr(self, name) not in choices and not of_folder:
                problems[name] = _(
                    "“{setting_word}” must be one of {choices}; {value!r} was given.",
                    setting_word=_(SETTING_TITLES[name]),
                    choices=", ".join(choices),
                    value=getattr(self, name),
                )
        return problems

    def _problems_of_size(self) -> dict[str, str]:
        chosen_itself = self.size == 0 and self.training == "frozen"
        if self._any_size or chosen_itself:
            return {}
        if SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            return {}
        problem = _(
            "Input size must lie between {smallest} and {largest} pixels; "
            "{size} was given. Only frozen training can choose one itself: 0.",
            smallest=SMALLEST_SIZE,
            largest=LARGEST_SIZE,
            size=self.size,
        )
        return {"size": problem}

    def _problems_of_split(self) -> dict[str, str]:
        problems: dict[str, str] = {}
        if not 1 <= self.fold <= max(self.folds, 1):
            problems["fold"] = _(
                "Tested fold must lie between 1 and {folds}.", folds=self.folds
            )
        if self.val_fraction + self.test_fraction > 0.9:
            problems["test_fraction"] = _(
                "Validation and test together may take at most 0.9 of the images."
            )
        return problems

    def _problems_of_frozen_training(self) -> dict[str, str]:
        """Settings that do not fit where only the last layer is trained."""
        problems: dict[str, str] = {}
        frozen = self.model in FROZEN_MODELS or self.encoder
        pretrained = self.model == "efficientnet_lite0" or frozen
        if self.training == "frozen" and not pretrained:
            problems["training"] = _(
                "Frozen training needs pretrained features: choose one of {networks}.",
                networks=", ".join(["efficientnet_lite0", *FROZEN_MODELS]),
            )
        if self.model in FROZEN_MODELS and self.training != "frozen":
            problems["training"] = _(
                "Of two networks together only the last layer is trained: choose "
                "frozen training, or another network."
            )
        return problems

    def _problems_of_augmentation(self) -> dict[str, str]:
        """Changes that are too large, or of images that are read once."""
        for name, most in LARGEST_CHANGES.items():
            value = getattr(self.augmentation, name)
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
        if self.training == "frozen" and self.augmentation.active:
            sentence = _(
                "Frozen training reads each image once: switch augmentation off, "
                "or choose fine-tuning."
            )
            return {"augmentation": sentence}
        return {}

    def _problems_of_encoder(self) -> dict[str, str]:
        """Settings that do not fit an encoder of the weights folder."""
        problems: dict[str, str] = {}
        if self.encoder and self.training != "frozen":
            problems["training"] = _(
                "An encoder of the weights folder is not changed: only the last layer "
                "is trained."
            )
        if self.encoder and self.size:
            problems["size"] = _(
                "The encoder's own input size is taken: 0; {size} was given.",
                size=self.size,
            )
        return problems

    def _problems_of_segmentation(self) -> dict[str, str]:
        """Settings that do not fit a segmentation, field -> sentence."""
        problems: dict[str, str] = {}
        if self.segments and any(s.startswith(("crop", "borders")) for s in self.steps):
            problems["steps"] = _(
                "A segmentation learns on whole images: leave out the enhancement "
                "steps that cut borders off."
            )
        if self.recipe == "segmentation" and not self.segments:
            problems["model"] = _(
                "The recipe Segmentation needs a network for it: {choices}.",
                choices=", ".join(SEGMENTATION_MODELS),
            )
        if self.model == "compact_unet" and self.training == "fine_tune":
            problems["training"] = _(
                "The compact U-Net has no pretrained weights: train all layers from "
                "scratch."
            )
        return problems

    def _problems_of_descent(self) -> dict[str, str]:
        """Options of gradient descent that would do nothing, field -> sentence."""
        asked = [name for name in _OF_DESCENT if getattr(self, name)]
        if self.training == "frozen":
            sentence = _(
                "This has no effect where only the last layer is trained: switch it "
                "off, or choose fine-tuning."
            )
            return dict.fromkeys(asked, sentence)
        if self.multi_label:
            sentence = _(
                "This is for images of one class each, not for several findings on "
                "one image: switch it off."
            )
            return dict.fromkeys([n for n in asked if n != "clip_norm"], sentence)
        if self.segments:
            sentence = _("This has no effect on a segmentation: switch it off.")
            if self.test_time_flips != "none":
                asked.append("test_time_flips")
            return dict.fromkeys([n for n in asked if n not in _OF_MASKS], sentence)
        return {}

    def check(self) -> None:
        """Raises `ConfigError` for the first wrong field."""
        for name, message in self.problems().items():
            raise ConfigError(name, message)


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


def config_for(recipe: str, dataset: str, **changes: Any) -> TrainConfig:
    """The settings of a recipe for a data set, with some of them changed.

    Raises:
        ConfigError: The recipe does not exist.
    """
    if recipe not in RECIPES:
        raise ConfigError(
            "recipe", _("There is no recipe called {recipe!r}.", recipe=recipe)
        )
    settings = {**RECIPES[recipe].settings, **changes}
    return TrainConfig(dataset=dataset, recipe=recipe, **settings)
