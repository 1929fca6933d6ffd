"""Several runs on the images that all of them have seen, computed once."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.comparison import Common, Difference, common_images, compare
from medmodel.curves import Curve, roc_curve
from medmodel.intervals import Estimate
from medmodel.metrics import overall_metrics
from medmodel.runs import Run
from pages._shared import results

Chosen = tuple[tuple[str, str, int], ...]
"""Name, folder and version of the predictions of each run."""


def chosen(names: dict[str, Run]) -> Chosen:
    """What the other functions take."""
    return tuple(
        (name, str(run.folder), results.version(run)) for name, run in names.items()
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def common(runs: Chosen) -> Common:
    """Their common test images; shared, never to be changed.

    Raises:
        DataError: They cannot be compared.
        RunError: One has no predictions.
    """
    tables = {name: results.predictions(Run(Path(f))) for name, f, _ in runs}
    return common_images(tables)


@st.cache_resource(max_entries=16, show_spinner=False)
def metrics(runs: Chosen) -> dict[str, dict[str, Estimate]]:
    """Name of each model -> its metrics on the common images."""
    models = common(runs).models.items()
    return {name: overall_metrics(model) for name, model in models}


@st.cache_resource(max_entries=200, show_spinner=False)
def differences(runs: Chosen, metric: str) -> list[Difference]:
    """Every pair by one metric, corrected for their number."""
    return compare(common(runs), metric)


@st.cache_resource(max_entries=100, show_spinner=False)
def roc_curves(runs: Chosen, position: int) -> dict[str, Curve]:
    """Name of each model -> the ROC curve of a class, by its position in the first.

    Raises:
        DataError: The class, or everything else, is absent.
    """
    models = common(runs).models
    name = next(iter(models.values())).classes[position]
    return {
        title: roc_curve(model, model.classes.index(name))
        for title, model in models.items()
    }
