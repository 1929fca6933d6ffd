"""A run's findings, thresholds and numbers, computed once for all sessions."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.multi_label.finding_sets import (
    FindingSets,
    SetsResult,
    fit_sets,
    measure_sets,
)
from medmodel.evaluation.multi_label.run_findings import (
    RunFindings,
    run_decisions,
    run_findings,
)
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import read_findings


def findings_of(run: Run) -> RunFindings:
    """The run's findings, read once for all sessions.

    Raises:
        MedModelError: There are none yet, or a file is damaged.
    """
    return _findings(str(run.folder), findings_version(run))


def decisions_of_run(run: Run) -> list[Decision]:
    """Thresholds and temperatures of the run's findings, read once for all sessions.

    Raises:
        MedModelError: There are none yet, or a file is damaged.
    """
    return _decisions(str(run.folder), findings_version(run))


def sets_of_run(run: Run, coverage: float) -> list[FindingSets]:
    """What the run's findings need to be ruled out, read once for all sessions.

    Raises:
        MedModelError: There are none yet, a file is damaged, or no validation image.
    """
    return _sets(str(run.folder), findings_version(run), coverage)


def measured_sets_of(run: Run, coverage: float) -> list[SetsResult | None]:
    """What these sets held on test images, measured once for all sessions.

    Args:
        run: The run.
        coverage: One of `conformal.COVERAGES`.

    Raises:
        MedModelError: As from `findings_of`.
    """
    return _measured(str(run.folder), findings_version(run))[coverage]


def findings_version(run: Run) -> int:
    """Changes whenever the run's answers are written anew."""
    path = run.findings_path
    return path.stat().st_mtime_ns if path.exists() else 0


@st.cache_resource(max_entries=32, show_spinner=False)
def _findings(folder: str, version: int) -> RunFindings:
    return run_findings(Run(Path(folder)))


@st.cache_resource(max_entries=32, show_spinner=False)
def _decisions(folder: str, version: int) -> list[Decision]:
    return run_decisions(Run(Path(folder)))


@st.cache_resource(max_entries=64, show_spinner=False)
def _sets(folder: str, version: int, coverage: float) -> list[FindingSets]:
    return fit_sets(read_findings(Run(Path(folder))), coverage)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured(folder: str, version: int) -> dict[float, list[SetsResult | None]]:
    return measure_sets(_findings(folder, version).table)
