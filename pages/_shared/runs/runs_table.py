"""All runs as one table that is searched, filtered, sorted and opened from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import streamlit as st

from medmodel.language import N_, SOURCE, _, present_language, translate
from medmodel.runs import run_table
from medmodel.runs.notes import change_notes
from medmodel.runs.run_entry import Entry
from medmodel.runs.status import RunStatus
from pages._shared.common import widgets
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import MARK, show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import STATE_TITLES, duration
from pages._shared.comparison.model_picker import MOST
from pages._shared.runs.bulk_actions import show_bulk_actions

_RESULTS = N_("Results")
_SETTINGS = N_("Settings that differ")
_COLUMNS = (
    N_("Tags"),
    N_("State"),
    N_("Test accuracy"),
    N_("Val. accuracy"),
    N_("Val. Dice"),
    N_("Val. AUC"),
    N_("Val. loss"),
    N_("Data set"),
    N_("Model"),
    N_("Epoch kept"),
    N_("Submitted"),
    N_("Took"),
    N_("Note"),
)
_FIRST = (*_COLUMNS[:7], "Submitted")
_SCORES = ("Test accuracy", "Val. accuracy", "Val. Dice", "Val. AUC", "Val. loss")
_WHERE_ANY = ("Tags", "Val. Dice", "Val. AUC")
"""Columns that are shown only where a run has something in them."""
_NAME = 250
"""Width of the names in pixels: beside them a phone still shows the state."""
_SCORE = 112
"""Width of a score in pixels: its heading is read whole."""
_CHOICE = 264
"""Width of the choice of what to show, in pixels."""
_PIN, _RUN = N_("Pin"), N_("Run")
_TRAINING = N_("Training")
_TEST = N_("External test")


def open_run(entries: Sequence[Entry]) -> str:
    """The table of all runs; returns the id of the one that was clicked, or ""."""
    table, columns = _narrowed(entries, "runs")
    if st.toggle(_("Select several"), key="select-several"):
        _select_several(table, columns)
        return ""
    # A new name after every click, so that the same cell may be clicked again.
    clicks = st.session_state.setdefault("runs-clicks", 0)
    if not len(table):
        st.caption(_("No run fits the search and the filters."))
        return ""
    picked = _table_of_runs(columns, f"runs_table-{clicks}", "single-cell")
    st.caption(
        _(
            "{shown:,} of {runs:,} runs, values of the epoch that was kept. "
            "A click opens a run, a click on its pin keeps it above the "
            "others, a click on a heading sorts.",
            shown=len(table),
            runs=len(entries),
        )
    )
    if not picked.selection.cells:
        return ""
    row, column = picked.selection.cells[0]
    run: str = table["run"].iloc[row]
    if column != _PIN:
        return run
    st.session_state["runs-clicks"] = clicks + 1
    with errors_shown():
        entry = next(entry for entry in entries if entry.run.id == run)
        change_notes(entry.run, pinned=not entry.notes.pinned)
        st.rerun()
    return ""


def _select_several(table: pd.DataFrame, columns: Any) -> None:
    ids = list(table["run"])
    # The marks are of rows: other rows, other marks.
    picked = _table_of_runs(columns, f"several-{hash(tuple(ids))}", "multi-row")
    show_bulk_actions([ids[row] for row in picked.selection.rows], MOST)


def _table_of_runs(
    columns: Any, key: str, selection: Literal["single-cell", "multi-row"]
) -> Any:
    return show_table(
        columns,
        hide_index=True,
        height=_height(len(columns.index), 700),
        column_config=_columns(columns.columns),
        placeholder="",
        key=key,
        on_select="rerun",
        selection_mode=selection,
        alt=_("All runs with their state and scores, several can be ticked")
        if selection == "multi-row"
        else _("All runs with their state and scores"),
    )


def _narrowed(entries: Sequence[Entry], key: str) -> tuple[pd.DataFrame, Any]:
    """What is searched and filtered for: the facts, and the same as it is shown."""
    table = run_table.runs_table(entries)
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            _("Search"),
            placeholder=_("Name, tag, note, setting …"),
            key=f"search-{key}",
            label_visibility="collapsed",
            icon=":material/search:",
        )
        with st.popover(_("Filter"), icon=":material/filter_alt:"):
            table = _filtered(table, key)
        with st.popover(_("Columns"), icon=":material/view_column:"):
            names = st.pills(
                _("Columns"),
                _COLUMNS,
                selection_mode="multi",
                format_func=legible(_),
                default=_FIRST,
                key=f"columns-{key}",
                persist_state="session",
            )
        mode = one_of(
            _("What to show"),
            (_RESULTS, _SETTINGS),
            format_func=legible(_),
            default=_RESULTS,
            required=True,
            key=f"shown-{key}",
            persist_state="session",
            label_visibility="collapsed",
            # Before it is drawn, too: else it goes to a row of its own on a phone.
            width=_CHOICE,
        )
    table = run_table.searched(table, text or "").reset_index(drop=True)
    if mode == _RESULTS:
        return table, _results(table, names)
    st.caption(_("Marked: a value unlike that of most runs in sight."))
    return table, _settings(table)


def _filtered(table: pd.DataFrame, key: str) -> pd.DataFrame:
    tested = table["test_of"] != ""
    kind = None
    if tested.any() and not tested.all():
        kind = st.pills(
            _("What it is"),
            (_TRAINING, _TEST),
            format_func=legible(_),
            key=f"kind-{key}",
        )
    titles = {state.value: _(STATE_TITLES[state]) for state in RunStatus}
    present = set(table["state"])
    states = st.pills(
        _("State"),
        [state for state in titles if state in present],
        selection_mode="multi",
        format_func=legible(titles.__getitem__),
        key=f"states-{key}",
    )
    folders = widgets.folder_names(table["dataset"])
    chosen = st.multiselect(
        _("Data set"),
        list(folders),
        format_func=lambda path: folders[path],
        placeholder=_("Any"),
        key=f"folders-{key}",
    )
    tags = st.multiselect(
        _("Tag"),
        sorted({tag for own in table["tags"] for tag in own}),
        placeholder=_("Any"),
        key=f"tags-{key}",
    )
    if kind:
        table = table[tested == (kind == _TEST)]
    if states:
        table = table[table["state"].isin(states)]
    if chosen:
        table = table[table["dataset"].isin(chosen)]
    if tags:
        table = table[[not set(tags).isdisjoint(own) for own in table["tags"]]]
    return table


def _results(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    columns = {
        "Tags": list(table["tags"]),
        "Note": list(table["note"]),
        "Data set": [widgets.folder_name(path) for path in table["dataset"]],
        "Model": list(table["model"]),
        "State": [_(STATE_TITLES[RunStatus(state)]) for state in table["state"]],
        "Test accuracy": list(table["test_accuracy"]),
        "Val. accuracy": list(table["val_accuracy"]),
        "Val. Dice": list(table["val_dice"]),
        "Val. AUC": list(table["val_auc"]),
        "Val. loss": list(table["val_loss"]),
        "Epoch kept": list(table["best_epoch"]),
        "Submitted": [datetime.fromtimestamp(at) for at in table["created"]],
        "Took": [duration(seconds) if seconds else "" for seconds in table["seconds"]],
    }
    left_out = {name for name in _WHERE_ANY if not _any(columns[name])}
    shown = {n: columns[n] for n in _COLUMNS if n in names and n not in left_out}
    return pd.DataFrame({**_named(table), **shown})


def _any(values: Sequence[Any]) -> bool:
    return any(value and value == value for value in values)  # no NaN


def _settings(table: pd.DataFrame) -> Any:
    """What tells the visible runs apart, each unusual value marked."""
    texts = run_table.settings_that_differ(table)
    marks = run_table.unlike_most(texts)
    scores = {"Test accuracy": list(table["test_accuracy"])}
    shown = pd.DataFrame({**_named(table), **scores}).join(texts)
    styles = pd.DataFrame("", index=shown.index, columns=shown.columns)
    for name in texts:
        styles.loc[marks[name], name] = MARK
    styled = shown.style.apply(lambda frame: styles, axis=None)
    return styled.format("{:.3f}", subset=["Test accuracy"], na_rep="")


def _named(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {_PIN: list(table["pinned"]), _RUN: list(table["name"])}


def _height(rows: int, most: int) -> int:
    return min(35 * (rows + 1) + 3, most)


def _columns(names: Iterable[str]) -> dict[str, object]:
    """How each column is called in the session's language, and shown."""
    kinds = st.column_config
    scores = {
        name: kinds.NumberColumn(_(name), format="%.3f", width=_SCORE)
        for name in _SCORES
    }
    return {
        **{name: kinds.Column(translate(name)) for name in names},
        **scores,
        _PIN: kinds.CheckboxColumn(_(_PIN), width=50),
        _RUN: kinds.TextColumn(_(_RUN), width=_NAME),
        "Tags": kinds.ListColumn(_("Tags"), width="small"),
        # So wide that "Interrupted" is not cut.
        "State": kinds.TextColumn(_("State"), width=112),
        # A browser says "4 hours ago" in English alone.
        "Submitted": kinds.DatetimeColumn(
            _("Submitted"),
            format="distance" if present_language() == SOURCE else "YYYY-MM-DD HH:mm",
        ),
    }
