"""All runs as one table that is searched, sorted and chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from medmodel import overview
from medmodel.catalogue import Entry
from medmodel.runs import RunStatus
from pages._shared import widgets
from pages._shared.words import STATE_TITLES

_TABLE = "all-runs"
_CHOSEN = "compared-runs"
MOST = 6
"""Runs that are compared at a time."""


def choose_runs(found: Sequence[Entry]) -> list[str]:
    """The table of all runs; returns the ids of the chosen ones, in their order.

    The choice is kept in the address as ?runs=A,B.
    """
    known = {entry.run.id for entry in found}
    asked = st.query_params.get("runs", "").split(",")
    chosen: list[str] = st.session_state.setdefault(_CHOSEN, asked)
    chosen = st.session_state[_CHOSEN] = [run for run in chosen if run in known][:MOST]
    if ",".join(chosen) != ",".join(asked):
        st.query_params["runs"] = ",".join(chosen)
    text = st.text_input(
        "Search", placeholder="Name, data set, state or setting", key="search-runs"
    )
    table = overview.searched(overview.runs_table(found), text or "")
    ids = list(table["run"])
    # The table's own marks follow the search.
    rows = [ids.index(run) for run in chosen if run in ids]
    st.session_state[_TABLE] = {"selection": {"rows": rows, "columns": []}}
    st.dataframe(
        _shown(table),
        hide_index=True,
        height=min(36 * (len(table) + 1) + 2, 330),
        column_config=_columns(),
        placeholder="",
        key=_TABLE,
        on_select=lambda: _take(ids),
        selection_mode="multi-row",
        alt="All runs with their best epoch, their scores and what differs",
    )
    st.caption(
        f"{len(table):,} of {len(found):,} runs. Values are those of the best epoch. "
        f"Tick two to {MOST} to compare them; a click on a heading sorts."
    )
    return chosen


def _take(ids: list[str]) -> None:
    picked = [ids[row] for row in st.session_state[_TABLE]["selection"]["rows"]]
    before = st.session_state[_CHOSEN]
    kept = [run for run in before if run not in ids or run in picked]
    new = [run for run in picked if run not in kept]
    if len(kept) + len(new) > MOST:
        st.toast(f"At most {MOST} runs are compared at a time.")
    st.session_state[_CHOSEN] = (kept + new)[:MOST]


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    settings = {
        name: name.removeprefix("setting: ")
        for name in map(str, table)
        if name.startswith("setting: ")
    }
    states = [STATE_TITLES[RunStatus(state)] for state in table["state"]]
    shown = pd.DataFrame(
        {
            "Run": list(table["name"]),
            "Data set": [widgets.folder_name(path) for path in table["dataset"]],
            "State": states,
            "Test accuracy": list(table["test_accuracy"]),
            "Val. accuracy": list(table["val_accuracy"]),
            "Val. loss": list(table["val_loss"]),
            "Best epoch": list(table["best_epoch"]),
            "Asked for": [datetime.fromtimestamp(at) for at in table["created"]],
        }
    )
    for column, name in settings.items():
        shown[name] = [str(value) for value in table[column]]
    return shown


def _columns() -> dict[str, object]:
    share = st.column_config.NumberColumn(format="%.3f", width="small")
    return {
        "Run": st.column_config.TextColumn(width="medium", pinned=True),
        "Test accuracy": share,
        "Val. accuracy": share,
        "Val. loss": share,
        "Asked for": st.column_config.DatetimeColumn(format="distance"),
    }
