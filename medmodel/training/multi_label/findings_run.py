"""Run on several findings of one image: its settings, and what its model answers."""

from __future__ import annotations

import numpy as np

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import check_config
from medmodel.core.errors import DataError
from medmodel.data.datasets import Index
from medmodel.data.multi_label.settings import fitted_settings
from medmodel.inference import prediction
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import write_findings
from medmodel.training.context import TrainingContext


def settings_for(run: Run, index: Index) -> TrainConfig:
    """The run's settings for what the data set turned out to be.

    Whether an image may have several findings is written into config.json when the run
    first begins, where the data set had not been checked when it was submitted.

    Args:
        run: One that is not a segmentation.
        index: Its data set as it is today.

    Raises:
        DataError: The run began when the data set was of the other kind.
        ConfigError: A setting makes no sense for several findings.
    """
    config = run.config
    if config.multi_label == index.multi_label:
        return config
    if run.split_path.exists():
        raise DataError(
            _(
                "{name} was read otherwise when this run began: then an image had one "
                "class and now it may have several findings, or the other way round. "
                "Train a new run.",
                name=index.folder.name,
            )
        )
    config = fitted_settings(config, index.multi_label)
    check_config(config)
    run.write_config(config)
    return config


def write_answers(context: TrainingContext, chunk: int = 256) -> None:
    """Writes findings.csv for validation and test with the model as saved.

    Args:
        context: The run.
        chunk: Images between two looks at the clock.
    """
    reporter, prepared = context.reporter, context.prepared
    rows = np.concatenate([context.rows("val"), context.rows("test")])
    loaded = prediction.load(context.run)
    scores = np.empty((len(rows), len(context.classes)), np.float32)
    for start in range(0, len(rows), chunk):
        reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + chunk]
        scores[start : start + chunk] = prediction.predict(
            loaded, prepared.pixels[chosen]
        )
    reporter.progress("evaluating", len(rows), len(rows))
    truth = context.targets[rows] > 0
    samples = prepared.table.loc[rows]
    write_findings(context.run, context.classes, samples, (truth, scores))
