"""How a segmentation outlines its test images, read and counted once for everybody."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.evaluation.segmentation.evaluation import (
    SegmentationEvaluation,
    evaluate_segmentation,
)
from medmodel.reports.segmentation.facts import evaluate_with_copies
from medmodel.runs.copies import independent_segmentation
from medmodel.runs.run import Run
from pages._shared.common.run_cache import version


def table(run: Run) -> pd.DataFrame:
    """Its rows of segmentation.csv; shared, never to be changed.

    Test images that are copies of training or validation images lie in a split of
    their own, see `copies.independent_segmentation`.

    Raises:
        RunError: There is none, or it cannot be read.
    """
    return _table(str(run.folder), version(run))


def evaluation(run: Run) -> SegmentationEvaluation:
    """The test images without copies in numbers.

    Raises:
        RunError: There is no table, or it cannot be read.
        DataError: It holds no test image.
    """
    return _evaluation(str(run.folder), version(run))


def evaluation_with_copies(run: Run) -> SegmentationEvaluation | None:
    """The same with them; None where there are none, or nothing but copies."""
    return _evaluation_with_copies(str(run.folder), version(run))


# The second parameter only makes a new entry where the file has changed.
@st.cache_resource(max_entries=32, show_spinner=False)
def _table(folder: str, version: int) -> pd.DataFrame:
    return independent_segmentation(Run(Path(folder)))


@st.cache_resource(max_entries=32, show_spinner=False)
def _evaluation(folder: str, version: int) -> SegmentationEvaluation:
    return evaluate_segmentation(_table(folder, version))


@st.cache_resource(max_entries=32, show_spinner=False)
def _evaluation_with_copies(folder: str, version: int) -> SegmentationEvaluation | None:
    return evaluate_with_copies(Run(Path(folder)))
