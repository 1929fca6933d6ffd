"""Row on recipes: what each reaches on public images, beside published figures.

Every choice is made on validation images; the test images are only reported. Each run
begins in a workspace of its own, so that its time holds all that it needs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training import train

SETS = {"pneumoniamnist28": 0.884, "chest_xray": 0.928, "blood_cells": 0.9}
"""Folder -> test accuracy to reach: published (ResNet-50 at 224 pixels: Yang et al.
2023, Scientific Data; Kermany et al. 2018, Cell), of the blood cells, of which nobody
publishes this part, that of the row `quality_blood`."""


class _Trained(NamedTuple):
    recipe: str
    changes: Mapping[str, Any]


RECIPES = {
    "instant": _Trained("instant", {}),
    "together": _Trained("instant", {"model": "efficientnet_lite0_lite2"}),
    "compact": _Trained("compact", {}),
    "fine_tune": _Trained("custom", {"mixup": 0.2, "patience": 0}),
    "textbook": _Trained("document", {}),
}
"""What is compared: as in "Best in … minutes", and the textbook CNN."""


def table() -> list[Measurement]:
    """Test accuracy of every recipe on every set, with AUC and times.

    `MEDMODEL_QUALITY_ONLY` names those to train: `blood_cells/instant`, …

    Raises:
        DataError: A data set is not there, or the variable names none of them.
    """
    pairs = [f"{name}/{key}" for name in SETS for key in RECIPES]
    only = os.environ.get("MEDMODEL_QUALITY_ONLY", "").replace(",", " ").split()
    if wrong := set(only).difference(pairs):
        raise DataError(
            f"MEDMODEL_QUALITY_ONLY names {', '.join(sorted(wrong))}; "
            f"there are {', '.join(pairs)}."
        )
    return [_trained(*pair.split("/")) for pair in only or pairs]


def _trained(name: str, key: str) -> Measurement:
    folder, (recipe, changes) = bench_data(name), RECIPES[key]
    with with_data_root(folder), temporary_workspace():
        began, used = time.monotonic(), _processor_seconds()
        pattern = guess_patient_pattern(index_dataset(folder).table["path"])
        config = config_for(recipe, str(folder), patient_pattern=pattern, **changes)
        run = RunStore().create(config)
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
        seconds, used = time.monotonic() - began, _processor_seconds() - used
        size = run.model_facts.preprocessing.size
        test = split_predictions(read_predictions(run), "test")
    accuracy, area = (METRICS[m].estimate(test, None) for m in ("accuracy", "auc"))
    note = (
        f"{name}, {key}: AUC {area}, accuracy {accuracy}, n = {len(test.truth)}, "
        f"{size} px, {used:.0f} s of a processor, {seconds:.0f} s"
    )
    return at_least("quality_table", accuracy.value, SETS[name], "accuracy", note)


def _processor_seconds() -> float:
    times = os.times()
    return sum(times[:4])
