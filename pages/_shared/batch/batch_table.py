"""A batch's table, read once for everybody who looks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.batch import results, table
from medmodel.runs.run import Run

_OF_MODEL = (
    "predictions.csv",
    "findings.csv",
    "calibration.json",
    "thresholds.json",
    "best.keras",
)


def described(batch: Run, model: Run | None) -> pd.DataFrame:
    """As `results.described`; shared, never to be changed.

    Raises:
        RunError: The table is damaged, or findings.csv of the model's run.
        FileError: Another file of the model's run is damaged.
    """
    files = [batch.folder / table.FILE]
    files += [model.folder / name for name in _OF_MODEL] if model else []
    stamps = tuple(_changed(path) for path in files)
    return _described(str(batch.folder), str(model.folder) if model else "", stamps)


def _changed(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


# The last parameter only makes a new entry where a file has changed.
@st.cache_resource(max_entries=8, show_spinner="…")
def _described(
    batch: str, model: str, stamps: tuple[tuple[int, int], ...]
) -> pd.DataFrame:
    return results.described(Run(Path(batch)), Run(Path(model)) if model else None)
