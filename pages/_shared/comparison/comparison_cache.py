"""Several runs on the images that all of them have seen, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.evaluation import cross_validation
from medmodel.evaluation.comparison import model_comparison
from medmodel.evaluation.comparison.model_comparison import (
    CommonImages,
    PairedDifference,
    common_images,
    compare,
)
from medmodel.evaluation.cross_validation import Models
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.curves import (
    ThresholdCurve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.metrics.metric_table import class_metrics as metrics_of_class
from medmodel.evaluation.metrics.metric_table import overall_metrics
from medmodel.evaluation.predictions import Predictions
from medmodel.language import SOURCE, speaking
from medmodel.runs.run import Run
from pages._shared.common import run_cache

Chosen = tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...]
"""Name, folders and versions of the predictions of each model."""


def chosen(models: Models) -> Chosen:
    """What the other functions take."""
    return tuple(
        (
            name,
            tuple(str(run.folder) for run in runs),
            tuple(run_cache.version(run) for run in runs),
        )
        for name, runs in models.items()
    )


def asked(runs: Sequence[Run], path: str) -> Run:
    """The run whose model may be asked about a test image: it has not learned it."""
    if len(runs) == 1:
        return runs[0]
    table = _table(
        tuple(str(run.folder) for run in runs),
        tuple(run_cache.version(run) for run in runs),
    )
    return runs[int(table.loc[table["path"] == path, "fold"].iloc[0]) - 1]


@st.cache_resource(max_entries=16, show_spinner=False)
def _table(folders: tuple[str, ...], versions: tuple[int, ...]) -> pd.DataFrame:
    runs = [Run(Path(folder)) for folder in folders]
    return (
        run_cache.predictions(runs[0])
        if len(runs) == 1
        else cross_validation.pooled_predictions(runs)
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def common(runs: Chosen) -> CommonImages:
    """Their common test images; shared, never to be changed.

    Raises:
        DataError: They cannot be compared.
        RunError: One has no predictions.
    """
    tables = {name: _table(f, versions) for name, f, versions in runs}
    return common_images(tables, digests=_digests(runs))


def _digests(runs: Chosen) -> dict[str, dict[str, str]]:
    return cross_validation.digests_of_models(
        {name: [Run(Path(f)) for f in folders] for name, folders, _ in runs}
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def metrics_with_copies(
    runs: Chosen,
) -> tuple[dict[str, dict[str, Estimate]], str]:
    """The same on all common images, copies of training images among them.

    Empty where labels of copies differ, with a sentence to be translated.
    """
    tables = {name: _table(f, versions) for name, f, versions in runs}
    with speaking(SOURCE):  # whoever reads it may speak another language
        return model_comparison.metrics_with_copies(tables, _digests(runs))


@st.cache_resource(max_entries=16, show_spinner=False)
def metrics(runs: Chosen) -> dict[str, dict[str, Estimate]]:
    """Name of each model -> its metrics on the common images."""
    models = common(runs).models.items()
    return {name: overall_metrics(model) for name, model in models}


@st.cache_resource(max_entries=200, show_spinner=False)
def differences(runs: Chosen, metric: str) -> list[PairedDifference]:
    """Every pair by one metric, corrected for their number."""
    return compare(common(runs), metric)


@st.cache_resource(max_entries=100, show_spinner=False)
def curves(
    runs: Chosen, position: int
) -> dict[str, tuple[ThresholdCurve, ThresholdCurve]]:
    """Name of each model -> the ROC and the precision–recall curve of a class.

    Args:
        runs: The models.
        position: The class, by its position in the first model.

    Raises:
        DataError: The class, or everything else, is absent.
    """
    roc_and_pr = {}
    for title, (model, at) in _with_class(runs, position).items():
        roc_and_pr[title] = roc_curve(model, at), precision_recall_curve(model, at)
    return roc_and_pr


@st.cache_resource(max_entries=100, show_spinner=False)
def class_metrics(runs: Chosen, position: int) -> dict[str, dict[str, Estimate]]:
    """Name of each model -> its metrics of a class, by its position in the first."""
    models = _with_class(runs, position).items()
    return {title: metrics_of_class(*model) for title, model in models}


def _with_class(runs: Chosen, position: int) -> dict[str, tuple[Predictions, int]]:
    """Name of each model -> its predictions, and where it has the class."""
    models = common(runs).models
    name = next(iter(models.values())).classes[position]
    return {title: (m, m.classes.index(name)) for title, m in models.items()}
