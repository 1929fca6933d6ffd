"""A finished run's predictions, read and counted once for everybody who looks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel import gallery
from medmodel.benefit import DecisionCurve, decision_curve
from medmodel.calibration import Temperature, fit_temperature
from medmodel.curves import Curve, precision_recall_curve, roc_curve
from medmodel.datasets import index_folder, load_index
from medmodel.errors import DataError
from medmodel.evaluation import Scored, part, read_predictions, scored
from medmodel.intervals import Estimate
from medmodel.metrics import class_metrics, overall_metrics
from medmodel.runs import Run
from medmodel.subgroups import Subgroup, with_facts


def version(run: Run) -> int:
    """Changes whenever the run's predictions do; 0 while there are none."""
    path = run.folder / "predictions.csv"
    return path.stat().st_mtime_ns if path.exists() else 0


def predictions(run: Run) -> pd.DataFrame:
    """The run's predictions table; shared, never to be changed.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    return _predictions(str(run.folder), version(run))


def split(run: Run, name: str = "test") -> Scored:
    """One split of the predictions; shared, never to be changed.

    Raises:
        RunError: There is no table, or it cannot be read.
        DataError: The split is empty or does not fit the score columns.
    """
    return _split(str(run.folder), version(run), name)


def overall(run: Run) -> dict[str, Estimate]:
    """Every overall metric of the test split."""
    return _overall(str(run.folder), version(run))


def of_class(run: Run, position: int) -> dict[str, Estimate]:
    """Every metric of one class of the test split."""
    return _of_class(str(run.folder), version(run), position)


def images(run: Run) -> pd.DataFrame:
    """The test images with what the model said, as from `gallery.described`.

    With the facts that the data set's index knows of them; shared, never to be changed.
    """
    index = index_folder(Path(run.config.dataset)) / "index.csv"
    checked = index.stat().st_mtime_ns if index.exists() else 0
    return _images(str(run.folder), version(run), checked)


def part_of(run: Run, group: Subgroup) -> Scored:
    """The test images that belong to a subgroup.

    Raises:
        DataError: There is none.
    """
    kept = group.holds(images(run))
    if not kept.any():
        raise DataError("No test image is like this.")
    return part(split(run), kept)


def roc(run: Run, position: int) -> Curve:
    """ROC curve of one class of the test split; see `curves.roc_curve`."""
    return _roc(str(run.folder), version(run), position)


def precision_recall(run: Run, position: int) -> Curve:
    """The other curve; see `curves.precision_recall_curve`."""
    return _precision_recall(str(run.folder), version(run), position)


def benefit(run: Run, position: int) -> DecisionCurve:
    """Decision curve of one class; see `benefit.decision_curve`."""
    return _benefit(str(run.folder), version(run), position)


def temperature(run: Run) -> Temperature:
    """The temperature that fits the validation split."""
    return _temperature(str(run.folder), version(run))


# The second parameter only makes a new entry where the file has changed.
@st.cache_resource(max_entries=32, show_spinner=False)
def _predictions(folder: str, version: int) -> pd.DataFrame:
    return read_predictions(Run(Path(folder)))


@st.cache_resource(max_entries=64, show_spinner=False)
def _split(folder: str, version: int, name: str) -> Scored:
    return scored(_predictions(folder, version), name)


@st.cache_resource(max_entries=64, show_spinner=False)
def _overall(folder: str, version: int) -> dict[str, Estimate]:
    return overall_metrics(_split(folder, version, "test"))


@st.cache_resource(max_entries=400, show_spinner=False)
def _of_class(folder: str, version: int, position: int) -> dict[str, Estimate]:
    return class_metrics(_split(folder, version, "test"), position)


@st.cache_resource(max_entries=32, show_spinner=False)
def _images(folder: str, version: int, checked: int) -> pd.DataFrame:
    data = _split(folder, version, "test")
    rows = gallery.described(_predictions(folder, version), data)
    index = load_index(Path(Run(Path(folder)).config.dataset)) if checked else None
    return with_facts(rows, None if index is None else index.table)


@st.cache_resource(max_entries=200, show_spinner=False)
def _roc(folder: str, version: int, position: int) -> Curve:
    return roc_curve(_split(folder, version, "test"), position)


@st.cache_resource(max_entries=200, show_spinner=False)
def _precision_recall(folder: str, version: int, position: int) -> Curve:
    return precision_recall_curve(_split(folder, version, "test"), position)


@st.cache_resource(max_entries=200, show_spinner=False)
def _benefit(folder: str, version: int, position: int) -> DecisionCurve:
    return decision_curve(_split(folder, version, "test"), position)


@st.cache_resource(max_entries=64, show_spinner=False)
def _temperature(folder: str, version: int) -> Temperature:
    return fit_temperature(_split(folder, version, "val"))
