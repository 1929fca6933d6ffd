"""`medmodel train`: puts trainings into the queue of the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from medmodel.cli.list_runs import entry_values
from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import (
    FolderParameter,
    ModelParameter,
    RunParameter,
    watch_option,
)
from medmodel.cli.watch import watch_all
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.config_problems import check_config
from medmodel.core.errors import DataError
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.settings.network_names import ENCODER_PREFIX
from medmodel.core.settings.recipes import ENSEMBLE, IMPORTED, RECIPES
from medmodel.data.layout import read_layout
from medmodel.data.multi_label.settings import fitted_settings
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

_ELSEWHERE = ("dataset", "recipe", "fold", "steps", "augmentation", "multi_label")
"""Settings that have no option of their own name."""
_HELP = {
    "name": "What the run is called.",
    "model": "Network; encoder:NAME for one of the weights folder.",
    "training": "What is trained: the last layer, all gently, or all from scratch.",
    "weights": "Weights file of a Keras model, or imagenet.",
    "size": "Height and width of the input in pixels; 0: validation images decide.",
    "fit": "How images that are not square become so.",
    "colour": "Channels that the network sees.",
    "window": "Window of scans: auto, file, a name, or centre/width.",
    "epochs": "Passes over the training images.",
    "batch_size": "Images per step.",
    "learning_rate": "Step size of the optimizer.",
    "optimizer": "Optimizer.",
    "schedule": "How the learning rate falls.",
    "label_smoothing": "Share of the true class that is spread over all classes.",
    "clip_norm": "Largest length of the gradient; 0: no limit.",
    "balanced_sampling": "Whether every class comes equally often in an epoch.",
    "mixup": "Blends pairs of training images: alpha of Beta, such as 0.2; 0: none.",
    "ema": "Decay of the moving average of the weights, such as 0.99; 0: none.",
    "test_time_flips": "Mirror images over which predictions are averaged.",
    "tensorboard": "Whether each epoch is written for TensorBoard as well.",
    "class_weights": "Whether rare classes weigh more.",
    "patience": "Epochs without a better validation loss before stopping; 0: never.",
    "precision": "Arithmetic.",
    "seed": "Seed of split, weights, order and augmentation.",
    "replicate": "Another number: other initial weights and order on the same split.",
    "device": "auto, cpu, gpu:0, ... or all_gpus.",
    "val_fraction": "Validation fraction, where the folder brings no such split.",
    "test_fraction": "Test fraction, where the folder brings no such split.",
    "patient_pattern": "Regular expression whose first group is the patient.",
    "folds": "Folds of a cross-validation: a run for each.",
    "shift": "Augmentation: largest shift, a fraction of the side.",
    "rotation": "Augmentation: largest rotation in degrees.",
    "zoom": "Augmentation: largest change of scale, a fraction.",
    "brightness": "Augmentation: largest change, a fraction of white.",
    "contrast": "Augmentation: largest change, a fraction.",
    "flip_horizontal": "Augmentation: whether left and right may be exchanged.",
    "flip_vertical": "Augmentation: whether top and bottom may be exchanged.",
    "corruption": "Augmentation: share of training images that are corrupted.",
}
_AUGMENTATION = tuple(field.name for field in fields(Augmentation))


def setting_options() -> list[click.Option]:
    """An option for every setting of a training, without a default: the recipe's."""
    kinds = {**get_type_hints(TrainConfig), **get_type_hints(Augmentation)}
    names = [f.name for f in fields(TrainConfig) if f.name not in _ELSEWHERE]
    return [_option(name, kinds[name]) for name in (*names, *_AUGMENTATION)]


def _option(name: str, kind: Any) -> click.Option:
    word = name.replace("_", "-")
    flags = f"--{word}/--no-{word}" if kind is bool else f"--{word}"
    more: dict[str, Any] = {"type": kind}
    if name == "model":
        more = {"type": ModelParameter()}
    elif get_origin(kind) is Literal:
        more = {"type": click.Choice(get_args(kind))}
    return click.Option([flags, name], default=None, help=_HELP[name], **more)


@click.command("train")
@click.argument("folder", type=FolderParameter(), required=False)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    help="Settings to start from. Default: instant.",
)
@click.option(
    "--like",
    type=RunParameter(),
    help="Start from the settings, and without FOLDER the data set, of this run.",
)
@click.option(
    "--enhancement", metavar="CHAIN", help="A chain saved on the Enhance page."
)
@watch_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path | None,
    recipe: str | None,
    like: Run | None,
    enhancement: str | None,
    watch: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a model on the images in FOLDER: put it into the queue.

    FOLDER is a path, a name below a data folder, or the word sample. The pages show
    the run, and it goes on when this command ends.
    """
    from medmodel.evaluation.cross_validation import fold_configs
    from medmodel.runs import queue

    changes = {name: value for name, value in settings.items() if value is not None}
    if enhancement is not None:
        changes |= _chain(enhancement)
    changes = {**_of_encoder(changes.get("model", "")), **changes}
    config = _fitted(_config(folder, recipe, like, changes))
    check_config(config)
    store = RunStore()
    runs = [queue.submit(each, store) for each in fold_configs(config, config.folds)]
    if not as_json:
        for run in runs:
            say(_("Queued {id}: {title}", id=run.id, title=run.title))
        if not watch:
            say(_("Watch it: medmodel watch {id}", id=runs[0].id))
    well = watch_all(runs, store, quiet=as_json) if watch else True
    if as_json:
        print_json({"runs": run_values(runs)})
    if not well:
        ctx.exit(1)


command.params += setting_options()


def run_values(runs: list[Run]) -> list[dict[str, Any]]:
    """These runs as `medmodel list` has them."""
    from medmodel.runs import run_index

    by_id = {e.run.id: e for e in run_index.entries(RunStore())}
    return [entry_values(by_id[run.id]) for run in runs if run.id in by_id]


def _fitted(config: TrainConfig) -> TrainConfig:
    """The settings for several findings on one image, where a table says them."""
    try:
        findings = read_layout(Path(config.dataset)).findings
    except DataError:  # said when it is trained
        return config
    return fitted_settings(config, bool(findings))


def _config(
    folder: Path | None, recipe: str | None, like: Run | None, changes: dict[str, Any]
) -> TrainConfig:
    """The settings: those of a recipe or of another run, with the changes.

    Raises:
        click.UsageError: Nothing says on what to train.
        DataError: There are no two classes with images, for a segmentation no masks.
    """
    augmentation = {n: changes.pop(n) for n in _AUGMENTATION if n in changes}
    if like is not None:
        from medmodel.data.folders import safe_folder

        if like.config.recipe == ENSEMBLE:
            raise click.UsageError(
                _("{run} is an ensemble: name one of its members.", run=like.id)
            )
        if like.config.recipe == IMPORTED:
            raise click.UsageError(
                _(
                    "{run} was trained elsewhere: its settings are not known.",
                    run=like.id,
                )
            )
        there = folder or safe_folder(like.config.dataset)
        start = replace(like.config, dataset=str(there), name="", fold=1)
        start = replace(start, recipe=recipe or start.recipe)
        _check_folder(there, replace(start, **changes))
    elif folder is not None:
        start = config_for(recipe or "instant", str(folder))
        pattern = _check_folder(folder, replace(start, **changes))
        start = replace(start, patient_pattern=pattern)
    else:
        raise click.UsageError(_("Name a FOLDER to train on, or a run with --like."))
    changed = replace(start.augmentation, **augmentation)
    return replace(start, **changes, augmentation=changed)


def _check_folder(folder: Path, config: TrainConfig) -> str:
    """The pattern for patients that fits a folder with what the settings learn from.

    Raises:
        DataError: There are no two classes, for a segmentation no masks, or the folder
            cannot be read.
    """
    from medmodel.data.layout import list_files
    from medmodel.data.segmentation.pairs import image_masks
    from medmodel.quality.report_store import suggested_pattern

    files = list_files(folder)[0]
    if config.segments:
        if not image_masks(folder):
            raise DataError(
                _(
                    "This folder has no segmentation masks: choose a data set with the "
                    "folders images and masks, or another recipe."
                )
            )
    elif len({file.label for file in files}) < 2:
        if image_masks(folder):
            raise DataError(
                _(
                    "This folder has segmentation masks and no classes: choose the "
                    "recipe Segmentation."
                )
            )
        raise DataError(
            _("This folder has no two class folders with images: choose another one.")
        )
    return suggested_pattern(folder, [file.path for file in files])


def _of_encoder(model: str) -> dict[str, Any]:
    """What an encoder of the weights folder asks for; nothing for other networks.

    Raises:
        WeightsError: There is none of this name, or its files are not whole.
    """
    from medmodel.model_import.encoders import (
        check_files,
        encoder_settings,
        read_encoder,
    )

    if not model.startswith(ENCODER_PREFIX):
        return {}
    key = model.removeprefix(ENCODER_PREFIX)
    encoder = read_encoder(key)
    check_files(encoder)
    return encoder_settings(encoder, key)


def _chain(name: str) -> Mapping[str, Any]:
    """Steps of a saved chain, and its window where it has one.

    Raises:
        click.UsageError: There is no such chain.
    """
    from medmodel.imaging.enhance import saved_chains

    chains = saved_chains()
    if name not in chains:
        saved = ", ".join(chains) or _("none")
        raise click.UsageError(
            _("There is no chain {name!r}; saved: {saved}.", name=name, saved=saved)
        )
    chain = chains[name]
    window = {} if chain.window == "auto" else {"window": chain.window}
    return {"steps": chain.steps, **window}
