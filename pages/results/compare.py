"""Which of several runs is better, on the same test images."""

from __future__ import annotations

import streamlit as st

from medmodel.runs import run_index
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison.comparison_view import show_comparison
from pages._shared.training.runs_table import choose_runs


def show() -> None:
    widgets.page_header(
        "Compare", "Which of several models is better, on the very same test images."
    )
    all_entries = run_index.entries(widgets.store())
    if not all_entries:
        widgets.empty_state(
            "Each run will be a line here; tick two, and they are tested against each "
            "other image by image.",
            widgets.TRAIN,
            "Train the first model",
        )
        return
    entries = {entry.run.id: entry for entry in all_entries}
    chosen = [entries[run] for run in choose_runs(all_entries)]
    if len(chosen) >= 2:
        show_comparison(chosen, all_entries)
    else:
        hint = "Tick two runs of the same data set."
        if chosen:
            folder = plain(widgets.dataset_name(chosen[0].config))
            hint = f"**{plain(chosen[0].title)}** is ticked. "
            hint += f"Tick another run of the same data set, {folder}."
        st.info(hint, icon=":material/check_box:")


with errors_shown():
    show()
