"""Checkpoint: saves the best model of a run, wholly or not at all."""

from __future__ import annotations

import keras

from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import renaming
from medmodel.networks.models import heatmap_layers
from medmodel.runs.run import ModelFacts, Run


def save_model(
    run: Run, model: keras.Model, classes: list[str], preprocessing: Preprocessing
) -> None:
    """Makes this the run's best model.

    Args:
        run: Gets best.keras, and model.json before the first; loses the predictions
            of an earlier model.
        model: uint8 pixels in, probabilities out.
        classes: Name of each output.
        preprocessing: How an image becomes the model's input.

    Raises:
        OSError: The disk is full; an earlier model is still there.
    """
    facts = ModelFacts(
        class_names=classes,
        preprocessing=preprocessing,
        heatmap_layers=heatmap_layers(model),
        parameters=int(model.count_params()),
    )
    if not run.model_path.exists() or run.model_facts != facts:
        run.write_model_facts(facts)
    # Keras writes into a path only, and chooses the format by its ending.
    with renaming(run.model_path) as temporary:
        model.save(str(temporary))
    # What an earlier model said of the images is not what this one says of them: a run
    # that is resumed and then killed shall have no predictions rather than those.
    run.predictions_path.unlink(missing_ok=True)
