"""Where a model comes from: data set → run → model → external tests, as links."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from medmodel.language import _
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_index import Entry
from pages._shared.common import widgets
from pages._shared.common.words import STATE_TITLES, plain

_MOST = 5
"""Runs of one data set, or tests of one model, that are drawn."""


def show_lineage(run: Run) -> None:
    """The way from the data set over the run to its model, and on to its tests."""
    entries = run_index.entries(widgets.store())
    source = next(
        (e for e in entries if e.run.id == (run.tested_model or run.id)), None
    )
    if source is None or not source.config.dataset:
        return
    tests = [e for e in entries if e.test_of == source.run.id]
    with st.expander(_("Lineage"), icon=":material/account_tree:"):
        _show_way(source, tests)


def show_runs_of(folder: Path) -> None:
    """The runs that were trained on a data set, the newest first, and their models."""
    entries = run_index.entries(widgets.store())
    places = (folder, folder.resolve())
    runs = [e for e in entries if not e.test_of and Path(e.config.dataset) in places]
    if not runs:
        return
    with st.expander(
        _("Lineage: runs ({runs:,})", runs=len(runs)), icon=":material/account_tree:"
    ):
        for entry in runs[:_MOST]:
            _show_way(entry, [e for e in entries if e.test_of == entry.run.id])
        if len(runs) > _MOST:
            st.page_link(widgets.RUNS, label=_("All runs"))


def _show_way(source: Entry, tests: Sequence[Entry]) -> None:
    dataset, run_id = source.config.dataset, source.run.id
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _node(
            _("Data set"),
            widgets.folder_name(dataset),
            widgets.DATASETS,
            dataset=dataset,
        )
        st.markdown("→", width="content")
        state = _(STATE_TITLES[source.status.state])
        _node(_("Run"), f"{source.title} · {state}", widgets.RUNS, run=run_id)
        if not source.has_model:
            return
        st.markdown("→", width="content")
        accuracy = source.test_accuracy
        name = (
            _("Evaluate")
            if accuracy is None
            else _("Evaluate · test accuracy {accuracy:.3f}", accuracy=accuracy)
        )
        _node(_("Model"), name, widgets.EVALUATE, run=run_id)
        for test in tests[:_MOST]:
            st.markdown("→", width="content")
            name = widgets.folder_name(test.config.dataset)
            _node(_("External test"), name, widgets.EVALUATE, run=test.run.id)


def _node(kind: str, name: str, page: str, **params: str) -> None:
    st.page_link(
        page,
        label=f":gray[{kind}] {plain(name)}",
        query_params=params,
        width="content",
    )
