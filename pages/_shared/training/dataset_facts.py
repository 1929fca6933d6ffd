"""What is known of a data set before a network is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.cluster.records import cluster_state
from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.data.layout import read_layout
from medmodel.language import N_, _, translate
from medmodel.quality import report_store
from medmodel.quality.checks import DatasetReport
from medmodel.runs import run_index
from medmodel.runs.memory import memory_needed
from medmodel.runs.progress.time_plan import time_plan
from medmodel.runs.queue_plan import expected_device, known_memory
from pages._shared.common import widgets
from pages._shared.common.tables import show_table
from pages._shared.common.words import duration, plain, rounded
from pages._shared.runs.queue_view import memory_sentence
from pages._shared.training.train_form import default_device

IMBALANCED = 3.0
"""Images of the commonest class by those of the rarest, from which on it is said."""
_ROWS, _MOST_ROWS = 36, 4
"""Pixels of a line of the table, and lines that are in sight at once."""


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def finds_several(folder: str) -> bool:
    """Whether an image may have several findings, as a table says."""
    try:
        return bool(read_layout(Path(folder)).findings)
    except DataError:
        return False


def show_expected_time(config: TrainConfig, images: int) -> None:
    """How long a training will take, on what, and what has to end before it.

    Args:
        config: The settings as they are now.
        images: How many images the data set has, roughly.
    """
    plan = time_plan(config, images, widgets.store().root)
    values = {
        "time": duration(rounded(plan.whole)),
        "device": plain(default_device()),
        "source": _("as earlier runs went")
        if plan.measured
        else _("a guess before the first run"),
    }
    text = (
        _(
            "About **{time}** at most on {device} ({source}): training ends early "
            "where the validation loss stops falling.",
            **values,
        )
        if config.patience
        else _("About **{time}** on {device} ({source}).", **values)
    )
    st.markdown(f":material/schedule: {text}")
    device = expected_device(config)
    needed = memory_needed(config, device.is_gpu, images=images)
    total = known_memory(device)
    if total and needed > total:
        sentence = memory_sentence(needed, total, device)
        st.warning(plain(sentence), icon=":material/memory:")
    cluster = cluster_state(widgets.store())
    if cluster is not None and cluster.problem:
        st.warning(plain(translate(cluster.problem)), icon=":material/lan:")
    active = [e for e in run_index.entries(widgets.store()) if e.status.state.active]
    if active:
        st.caption(_("The device is busy: this run will wait its turn."))


def show_facts(folder: Path, counts: Mapping[str, int], weighted: bool) -> None:
    """Images per class, and what limits the accuracy that can be reached.

    Args:
        folder: The data set.
        counts: Class -> number of files, for a data set that nobody has checked.
        weighted: Whether classes will be weighted.
    """
    report = report_store.load_report(folder)
    noun = N_("Files") if report is None else N_("Images")
    if report is not None:
        counts = {name: sum(splits.values()) for name, splits in report.images.items()}
    if not counts:
        return
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    table = pd.DataFrame(ordered, columns=["Class", noun])
    show_table(
        table,
        hide_index=True,
        height=_ROWS * (min(len(table), _MOST_ROWS) + 1) + 2,
        row_height=_ROWS,
        column_config={
            "Class": st.column_config.TextColumn(_("Class")),
            noun: st.column_config.ProgressColumn(
                _(noun),
                format="localized",
                min_value=0,
                max_value=max(counts.values()),
            ),
        },
        alt=_("Files of each class") if report is None else _("Images of each class"),
    )
    _show_imbalance(counts, report is not None, weighted)
    _show_check(report)


def _show_imbalance(counts: Mapping[str, int], checked: bool, weighted: bool) -> None:
    most = max(counts, key=counts.__getitem__)
    fewest = min(counts, key=counts.__getitem__)
    if not counts[fewest] or counts[most] / counts[fewest] < IMBALANCED:
        return
    values = {
        "most": plain(most),
        "ratio": counts[most] / counts[fewest],
        "fewest": plain(fewest),
    }
    imbalance = (
        _(
            "Imbalanced: {most} has {ratio:.0f} times as many images as {fewest}.",
            **values,
        )
        if checked
        else _(
            "Imbalanced: {most} has {ratio:.0f} times as many files as {fewest}.",
            **values,
        )
    )
    weights = _("Class weights are on.") if weighted else _("Class weights are off.")
    st.caption(f":material/balance: {imbalance} {weights}")


def _show_check(report: DatasetReport | None) -> None:
    """Whether copies or patients lie on both sides of the split, if that is known."""
    if report is None:
        text = _(
            "Not checked yet for unreadable files, duplicates and patients in several "
            "splits."
        )
        st.caption(f":material/help: {text}")
    elif report.level == "problem":
        st.warning(plain(translate(report.verdict)), icon=":material/report:")
    elif report.level == "warning":
        st.caption(f":material/info: {plain(translate(report.verdict))}")
