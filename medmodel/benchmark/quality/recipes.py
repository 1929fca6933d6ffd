"""Rows on quality: "Instant" on public images, "Segmentation" on drawn nodules.

Every choice is made on validation images; the test images are only reported.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import config_for
from medmodel.core.storage import read_json
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.data.synthetic import ensure_segmentation_sample
from medmodel.evaluation.predictions import split_predictions
from medmodel.evaluation.segmentation.summary import metrics
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions, score_array
from medmodel.runs.tables.segmentation import read_segmentation
from medmodel.training import train


@dataclass(frozen=True)
class Quality:
    """What one run reached on its test images.

    Args:
        accuracy: Share of right first choices, 0 to 1.
        area: Area under the ROC curve, mean over the classes.
        seconds: From an empty workspace to the finished run.
        note: Number of images, and the size that was chosen.
    """

    accuracy: float
    area: float
    seconds: float
    note: str


def pneumonia() -> list[Measurement]:
    """PneumoniaMNIST in its own splits."""
    name, result = "quality_pneumonia", measured("pneumoniamnist28")
    return [
        at_least(name, result.area, 0.96, "test AUC", result.note),
        at_least(name, result.accuracy, 0.885, "test accuracy", result.note),
        at_most(name, result.seconds, 120, "s", "empty workspace to finished run"),
    ]


def segment() -> list[Measurement]:
    """Drawn nodules outlined by the recipe Segmentation; a fifth are test images."""
    with temporary_workspace():
        folder = ensure_segmentation_sample()
        index = index_dataset(folder)
        pattern = guess_patient_pattern(index.readable["path"])
        config = config_for("segmentation", str(folder), patient_pattern=pattern)
        run = RunStore().create(config)
        began = time.perf_counter()
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
        seconds = time.perf_counter() - began
        table = read_segmentation(run)
    numbers = metrics(table[table["split"] == "test"])
    dice, found = numbers["dice"], numbers["lesion_sensitivity"]
    distance = numbers["hd95"]
    note = (
        f"{dice.interval}, n = {dice.n} test images with nodules; "
        f"nodules found {found}, HD95 {distance.value:.1f} pixels, "
        f"trained in {seconds:.0f} s"
    )
    return [at_least("segment", dice.value, 0.85, "Dice", note)]


def blood() -> list[Measurement]:
    """Blood cells, a fifth drawn as test images by the default seed."""
    result = measured("blood_cells")
    return [
        at_least("quality_blood", result.accuracy, 0.9, "test accuracy", result.note)
    ]


def chest() -> list[Measurement]:
    """Chest X-rays in their own test split, validation images drawn by patient."""
    result = measured("chest_xray")
    return [at_least("quality_chest", result.area, 0.955, "test AUC", result.note)]


def measured(name: str) -> Quality:
    """Trains the recipe with its defaults on a public data set.

    Args:
        name: Folder of the data set.

    Raises:
        DataError: The data set is not there.
    """
    folder = bench_data(name)
    with with_data_root(folder), temporary_workspace():
        begin = time.monotonic()
        pattern = guess_patient_pattern(index_dataset(folder).table["path"])
        config = config_for("instant", str(folder), patient_pattern=pattern)
        run = RunStore().create(config)
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
        return _quality(run, time.monotonic() - begin)


def _quality(run: Run, seconds: float) -> Quality:
    table = read_predictions(run)
    table = table[table["split"] == "test"]
    classes = run.model_facts.class_names
    scores = score_array(table, classes)
    predicted = split_predictions(table, "test").predicted
    truth = table["label"].map(classes.index).to_numpy()
    areas = [roc_auc_score(truth == k, scores[:, k]) for k in range(len(classes))]
    reason = read_json(run.folder / "environment.json")["size_reason"]
    return Quality(
        accuracy=float((predicted == truth).mean()),
        area=float(np.mean(areas)),
        seconds=seconds,
        note=f"{len(table)} test images; {reason}",
    )
