"""Checkpoint: saves the best model of a run, wholly or not at all, and checks it."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Sequence

import keras

from medmodel.core.errors import DECODER_ERRORS
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import read_if_whole, renaming, set_aside
from medmodel.inference.class_activation import explainable_layers
from medmodel.networks.encoder_layer import encoder_parameters
from medmodel.networks.models import heatmap_layers
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts

_TRAINED = "trained"
log = logging.getLogger("medmodel.training.checkpoint")


def save_model(
    run: Run,
    model: keras.Model,
    classes: list[str],
    preprocessing: Preprocessing,
    mask_values: Sequence[int] = (),
) -> None:
    """Makes this the run's best model.

    Args:
        run: Gets best.keras, and model.json before the first; loses the predictions
            of an earlier model.
        model: uint8 pixels in, probabilities out.
        classes: Name of each output.
        preprocessing: How an image becomes the model's input.
        mask_values: As in `ModelFacts`.

    Raises:
        OSError: The disk is full; an earlier model is still there.
    """
    write_facts(run, model, classes, preprocessing, mask_values)
    # Keras writes into a path only, and chooses the format by its ending.
    with renaming(run.model_path) as temporary:
        model.save(str(temporary))
    # What an earlier model said of the images is not what this one says of them: a run
    # that is resumed and then killed shall have no predictions rather than those.
    run.predictions_path.unlink(missing_ok=True)
    run.segmentation_path.unlink(missing_ok=True)
    run.findings_path.unlink(missing_ok=True)


def write_facts(
    run: Run,
    model: keras.Model,
    classes: list[str],
    preprocessing: Preprocessing,
    mask_values: Sequence[int] = (),
) -> None:
    """Writes model.json where it is missing, damaged or says something else."""
    facts = ModelFacts(
        class_names=classes,
        preprocessing=preprocessing,
        # A segmentation says by itself where it saw what.
        heatmap_layers=[] if mask_values else _layers_of_maps(run, model),
        parameters=int(model.count_params()) + encoder_parameters(model),
        mask_values=list(mask_values),
        flips=run.config.test_time_flips,
    )
    if read_if_whole(run.folder / "model.json", ModelFacts) != facts:
        run.write_model_facts(facts)


def _layers_of_maps(run: Run, model: keras.Model) -> list[str]:
    if run.config.encoder:
        return explainable_layers(model)
    return heatmap_layers(model)


def restore_facts(
    run: Run,
    classes: list[str],
    preprocessing: Preprocessing,
    mask_values: Sequence[int] = (),
) -> None:
    """Writes model.json anew from best.keras where it is missing or damaged."""
    if read_if_whole(run.folder / "model.json", ModelFacts) is None:
        model = keras.models.load_model(run.model_path, compile=False)
        write_facts(run, model, classes, preprocessing, mask_values)


def model_is_whole(run: Run) -> bool:
    """Whether best.keras is there, and holds what was written into it."""
    try:
        with zipfile.ZipFile(run.model_path) as file:
            return file.testzip() is None
    except (*DECODER_ERRORS, zipfile.BadZipFile):
        return False


def set_damaged_model_aside(run: Run) -> None:
    """Renames a best.keras that is damaged: nobody can use it, and training goes on."""
    if run.model_path.exists() and not model_is_whole(run):
        name = set_aside(run.model_path).name
        log.warning("%s is damaged and now called %s.", run.model_path, name)


def mark_trained(run: Run) -> None:
    """Says that training came to its end: a later attempt only evaluates."""
    (run.folder / _TRAINED).touch()


def is_trained(run: Run) -> bool:
    """Whether training came to its end, and its model is whole."""
    return (run.folder / _TRAINED).exists() and model_is_whole(run)
