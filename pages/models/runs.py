"""All runs; with ?run=ID one of them, live."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from medmodel import catalogue
from medmodel.errors import RunError
from pages._shared import run_view, widgets
from pages._shared.widgets import errors_shown, page_header
from pages._shared.words import STATE_TITLES, duration, plain


def show_list() -> None:
    page_header("Runs", "Everything that was trained here, newest first.")
    found = catalogue.entries(widgets.store())
    if not found:
        widgets.empty_state(
            "Each training will be a line here, with its state and how good it became.",
            widgets.TRAIN,
            "Train the first model",
        )
        return
    st.page_link(widgets.TRAIN, label="Train another", icon=":material/add:")
    table = {
        "Run": [e.title for e in found],
        "State": [STATE_TITLES[e.status.state] for e in found],
        "Data set": [widgets.dataset_name(e.config) for e in found],
        "Model": [e.config.model for e in found],
        "Val. loss": [e.val_loss for e in found],
        "Val. accuracy": [e.val_accuracy for e in found],
        "Test accuracy": [e.test_accuracy for e in found],
        "Asked for": [datetime.fromtimestamp(e.status.created) for e in found],
        "Took": [duration(e.seconds) if e.seconds else "" for e in found],
    }
    share = st.column_config.NumberColumn(format="%.3f")
    picked = st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(found) + 1) + 2, 700),
        column_config={
            "Run": st.column_config.TextColumn(width="medium"),
            "State": st.column_config.TextColumn(width="small"),
            "Val. loss": share,
            "Val. accuracy": share,
            "Test accuracy": share,
            "Asked for": st.column_config.DatetimeColumn(format="distance"),
        },
        placeholder="",
        key="runs_table",
        on_select="rerun",
        selection_mode="single-cell",
        alt="All runs with their state and scores",
    )
    if picked.selection.cells:
        row = picked.selection.cells[0][0]
        st.query_params["run"] = found[row].run.id
        st.rerun()


@st.fragment(run_every=3)
def refreshing_list() -> None:
    show_list()


run_id = st.query_params.get("run", "")
if not run_id:
    if any(e.status.state.active for e in catalogue.entries(widgets.store())):
        refreshing_list()
    else:
        show_list()
else:
    try:
        chosen = widgets.store().get(run_id)
    except RunError as error:
        page_header("Runs", "The run that was asked for is not here.")
        st.error(plain(error), icon=":material/error:")
        st.page_link(widgets.RUNS, label="All runs", icon=":material/arrow_back:")
    else:
        with errors_shown():
            run_view.show(chosen)
