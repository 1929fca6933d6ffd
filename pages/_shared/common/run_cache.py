"""A finished run's predictions, read and counted once for everybody who looks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core.errors import DataError
from medmodel.data import sample_size
from medmodel.data.datasets import index_folder, load_index
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    fit_temperature,
)
from medmodel.evaluation.evaluation import Evaluation, evaluate_predictions
from medmodel.evaluation.groups.subgroups import ALL, Subgroup, with_facts
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.curves import (
    DecisionCurve,
    ThresholdCurve,
    decision_curve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.metrics.metric_table import class_metrics, overall_metrics
from medmodel.evaluation.predictions import Predictions, split_predictions, subset
from medmodel.evaluation.review import gallery
from medmodel.language import _
from medmodel.runs.copies import Copies, copies_of, independent_predictions, with_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split

_Version = tuple[int, int]


def version(run: Run) -> int:
    """Changes whenever the run's predictions do; 0 while there are none."""
    for path in (run.predictions_path, run.segmentation_path, run.findings_path):
        if path.exists():
            return path.stat().st_mtime_ns
    return 0


def predictions(run: Run) -> pd.DataFrame:
    """The run's predictions table; shared, never to be changed.

    Test images that are copies of training or validation images lie in a split of
    their own, see `copies.independent_predictions`.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    return _predictions(str(run.folder), version(run))


def split(run: Run, name: str = "test") -> Predictions:
    """One split of the predictions; shared, never to be changed.

    Raises:
        RunError: There is no table, or it cannot be read.
        DataError: The split is empty or does not fit the score columns.
    """
    return _split(str(run.folder), version(run), name)


def evaluation(run: Run, group: Subgroup = ALL) -> Evaluation:
    """The test split, or a part of it, in numbers."""
    return _evaluation(*_version(run, group), group)


def class_counts(run: Run) -> dict[str, dict[str, int]]:
    """Images of every class in every split, see `sample_size.class_counts`."""
    return _class_counts(str(run.folder), version(run))


def copies(run: Run) -> Copies:
    """Which test images are copies of what the run was trained or chosen with."""
    return _copies(str(run.folder), version(run))


def split_with_copies(run: Run) -> Predictions:
    """The test split with those images; shared, never to be changed."""
    return _with_copies(str(run.folder), version(run))


def evaluation_with_copies(run: Run) -> Evaluation:
    """The test split with those images in numbers."""
    return _evaluation_with_copies(str(run.folder), version(run))


def overall(run: Run, group: Subgroup = ALL) -> dict[str, Estimate]:
    """Every overall metric of the test split, or of a part of it."""
    return _overall(*_version(run, group), group)


def of_class(run: Run, position: int, group: Subgroup = ALL) -> dict[str, Estimate]:
    """Every metric of one class of the test split, or of a part of it."""
    return _of_class(*_version(run, group), group, position)


def images(run: Run) -> pd.DataFrame:
    """The test images with what the model said, as from `gallery.described`.

    With the facts that the data set's index knows of them; shared, never to be changed.
    """
    return _images(str(run.folder), version(run), _checked(run))


def part_of(run: Run, group: Subgroup = ALL) -> Predictions:
    """The test images that belong to a subgroup; shared, never to be changed.

    Raises:
        DataError: There is none.
    """
    if group == ALL:
        return split(run)
    inside = group.holds(images(run))
    if not inside.any():
        raise DataError(_("No test image is like this."))
    return subset(split(run), inside)


def roc(run: Run, position: int, group: Subgroup = ALL) -> ThresholdCurve:
    """ROC curve of one class of the test images; see `curves.roc_curve`."""
    return _roc(*_version(run, group), group, position)


def precision_recall(run: Run, position: int, group: Subgroup = ALL) -> ThresholdCurve:
    """The other curve; see `curves.precision_recall_curve`."""
    return _precision_recall(*_version(run, group), group, position)


def benefit(run: Run, position: int) -> DecisionCurve:
    """Decision curve of one class; see `benefit.decision_curve`."""
    return _benefit(str(run.folder), version(run), position)


def temperature(run: Run) -> Temperature:
    """The temperature that fits the validation split."""
    return _temperature(str(run.folder), version(run))


def _checked(run: Run) -> int:
    """Changes whenever the data set is checked again; 0 before the first time."""
    index = index_folder(Path(run.config.dataset)) / "index.csv"
    return index.stat().st_mtime_ns if index.exists() else 0


def _version(run: Run, group: Subgroup) -> tuple[str, tuple[int, int]]:
    """The run's folder, and what changes whenever a part of its images may."""
    return str(run.folder), (version(run), 0 if group == ALL else _checked(run))


# The second parameter only makes a new entry where a file has changed. What turns
# while it reads is the same in every language.
@st.cache_resource(max_entries=32, show_spinner="…")
def _predictions(folder: str, version: int) -> pd.DataFrame:
    return independent_predictions(Run(Path(folder)))


@st.cache_data(max_entries=64, show_spinner=False)
def _class_counts(folder: str, version: int) -> dict[str, dict[str, int]]:
    return sample_size.class_counts(read_split(Run(Path(folder))))


@st.cache_resource(max_entries=32, show_spinner=False)
def _copies(folder: str, version: int) -> Copies:
    return copies_of(Run(Path(folder)))


@st.cache_resource(max_entries=32, show_spinner=False)
def _with_copies(folder: str, version: int) -> Predictions:
    return split_predictions(with_copies(_predictions(folder, version)), "test")


@st.cache_resource(max_entries=32, show_spinner=False)
def _evaluation_with_copies(folder: str, version: int) -> Evaluation:
    return evaluate_predictions(_with_copies(folder, version))


@st.cache_resource(max_entries=64, show_spinner=False)
def _split(folder: str, version: int, name: str) -> Predictions:
    return split_predictions(_predictions(folder, version), name)


@st.cache_resource(max_entries=64, show_spinner=False)
def _evaluation(folder: str, version: _Version, group: Subgroup) -> Evaluation:
    return evaluate_predictions(part_of(Run(Path(folder)), group))


@st.cache_resource(max_entries=64, show_spinner=False)
def _overall(folder: str, version: _Version, group: Subgroup) -> dict[str, Estimate]:
    return overall_metrics(part_of(Run(Path(folder)), group))


@st.cache_resource(max_entries=400, show_spinner=False)
def _of_class(
    folder: str, version: _Version, group: Subgroup, position: int
) -> dict[str, Estimate]:
    return class_metrics(part_of(Run(Path(folder)), group), position)


@st.cache_resource(max_entries=32, show_spinner=False)
def _images(folder: str, version: int, checked: int) -> pd.DataFrame:
    data = _split(folder, version, "test")
    rows = gallery.image_table(_predictions(folder, version), data)
    index = load_index(Path(Run(Path(folder)).config.dataset)) if checked else None
    return with_facts(rows, None if index is None else index.table)


@st.cache_resource(max_entries=200, show_spinner=False)
def _roc(
    folder: str, version: _Version, group: Subgroup, position: int
) -> ThresholdCurve:
    return roc_curve(part_of(Run(Path(folder)), group), position)


@st.cache_resource(max_entries=200, show_spinner=False)
def _precision_recall(
    folder: str, version: _Version, group: Subgroup, position: int
) -> ThresholdCurve:
    return precision_recall_curve(part_of(Run(Path(folder)), group), position)


@st.cache_resource(max_entries=200, show_spinner=False)
def _benefit(folder: str, version: int, position: int) -> DecisionCurve:
    return decision_curve(_split(folder, version, "test"), position)


@st.cache_resource(max_entries=64, show_spinner=False)
def _temperature(folder: str, version: int) -> Temperature:
    return fit_temperature(_split(folder, version, "val"))
