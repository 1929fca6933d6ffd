"""What is known of a data set before a network is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.quality import report_store
from medmodel.quality.checks import DatasetReport
from medmodel.runs import run_index
from medmodel.runs.time_plan import time_plan
from pages._shared.common import widgets
from pages._shared.common.words import duration, plain
from pages._shared.training.train_form import default_device

IMBALANCED = 3.0
"""Images of the commonest class by those of the rarest, from which on it is said."""
_TABLE_HEIGHT = 180
_EARLY = " at most, as training ends early where the validation loss stops falling"


def show_expected_time(config: TrainConfig, images: int) -> None:
    """How long a training will take, on what, and what has to end before it.

    Args:
        config: The settings as they are now.
        images: How many images the data set has, roughly.
    """
    plan = time_plan(config, images, widgets.store().root)
    source = "as earlier runs went" if plan.measured else "a guess before the first run"
    most = _EARLY if config.patience else ""
    device = plain(default_device())
    st.markdown(
        f":material/schedule: About **{duration(_rounded(plan.whole))}**{most} on "
        f"{device} ({source})."
    )
    active = [e for e in run_index.entries(widgets.store()) if e.status.state.active]
    if active:
        st.caption("The device is busy: this run will wait its turn.")


def _rounded(seconds: float) -> float:
    """No more digits than a guess has."""
    unit = 10 if seconds < 60 else 60 if seconds < 3600 else 600
    return max(round(seconds / unit), 1) * unit


def show_facts(folder: Path, counts: Mapping[str, int], weighted: bool) -> None:
    """Images per class, and what limits the accuracy that can be reached.

    Args:
        folder: The data set.
        counts: Class -> number of files, for a data set that nobody has checked.
        weighted: Whether classes will be weighted.
    """
    report = report_store.load_report(folder)
    noun = "Files" if report is None else "Images"
    if report is not None:
        counts = {name: sum(splits.values()) for name, splits in report.images.items()}
    if not counts:
        return
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    table = pd.DataFrame(ordered, columns=["Class", noun])
    st.dataframe(
        table,
        hide_index=True,
        height=min(35 * (len(table) + 1) + 3, _TABLE_HEIGHT),
        column_config={
            noun: st.column_config.ProgressColumn(
                format="localized", min_value=0, max_value=max(counts.values())
            )
        },
        alt=f"{noun} of each class",
    )
    _show_imbalance(counts, noun.lower(), weighted)
    _show_check(report)


def _show_imbalance(counts: Mapping[str, int], noun: str, weighted: bool) -> None:
    most = max(counts, key=counts.__getitem__)
    fewest = min(counts, key=counts.__getitem__)
    if not counts[fewest] or counts[most] / counts[fewest] < IMBALANCED:
        return
    ratio = counts[most] / counts[fewest]
    more = f"{plain(most)} has {ratio:.0f} times as many {noun} as {plain(fewest)}"
    st.caption(
        f":material/balance: Imbalanced: {more}. Class weights are on."
        if weighted
        else f":material/balance: Imbalanced: {more}. Class weights are off."
    )


def _show_check(report: DatasetReport | None) -> None:
    """Whether copies or patients lie on both sides of the split, if that is known."""
    if report is None:
        st.caption(
            ":material/help: Not checked yet for unreadable files, duplicates and "
            "patients in several splits."
        )
    elif report.level == "problem":
        st.warning(plain(report.verdict), icon=":material/report:")
    elif report.level == "warning":
        st.caption(f":material/info: {plain(report.verdict)}")
