"""Training settings: everything that defines one run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from medmodel.core.control_characters import one_line
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Colour, Fit, Preprocessing
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.settings.network_names import (
    ENCODER_PREFIX,
    SEGMENTATION_MODELS,
)
from medmodel.core.settings.recipes import RECIPES, recipe_title
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
