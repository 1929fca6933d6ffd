"""A finished run with a real, tiny, untrained model: made in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.images import decode, prepare_image
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts, RunStatus, Status
from medmodel.runs.tables.predictions import SAMPLE_COLUMNS, write_predictions
from medmodel.runs.tables.split import write_split
from tests.finished_run import create_ended


def make_tiny_run(dataset: Path, name: str, seed: int = 0, size: int = 32) -> Run:
    """Predicts every image of flat class folders; alternately test and val.

    Args:
        dataset: Class folders.
        name: What the run is called.
        seed: Of the model's random weights.
        size: Height and width of the model's input in pixels.
    """
    from medmodel.inference import prediction
    from medmodel.networks import models

    classes = sorted(folder.name for folder in dataset.iterdir())
    files = sorted(dataset.glob("*/*"))
    preprocessing = Preprocessing(size=size, colour="grey")
    run = create_ended(TrainConfig(str(dataset), name=name, size=size))
    model = models.build_model("compact_resnet", preprocessing, len(classes), seed=seed)
    layers = models.heatmap_layers(model)
    run.write_model_facts(ModelFacts(classes, preprocessing, layers, 0))
    model.save(run.model_path)
    images = [prepare_image(decode(file).pixels, preprocessing) for file in files]
    scores = prediction.predict(prediction.load(run), np.stack(images))
    rows = [
        (str(file.relative_to(dataset)), "", ("test", "val")[i % 2], file.parent.name)
        for i, file in enumerate(files)
    ]
    samples = pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
    write_predictions(run, classes, samples, scores)
    write_split(run, samples)
    now = time.time()
    run.write_status(
        Status(RunStatus.DONE, phase="finished", created=now, started=now, ended=now)
    )
    return run
