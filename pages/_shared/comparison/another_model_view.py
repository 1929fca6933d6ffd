"""One model is chosen: which others it can be compared with, and how to train one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medmodel.language import _
from medmodel.runs.run_entry import Entry
from pages._shared.common import widgets
from pages._shared.common.model_choice import distinct_labels, model_label
from pages._shared.common.words import plain
from pages._shared.comparison.model_picker import add_to_link, is_comparable, is_tested

_OFFERED = 3
_WIDEST = 96
"""Letters of a model on a button."""


def ask_for_another(first: Entry, all_entries: Sequence[Entry]) -> None:
    """Buttons for the newest models to compare with, and one to train another.

    Args:
        first: The only model that is chosen.
        all_entries: All runs, newest first.
    """
    others = [
        entry
        for entry in all_entries
        if entry.run.id != first.run.id
        and is_tested(entry)
        and is_comparable(entry, first)
    ]
    names = {
        "model": plain(first.title),
        "folder": plain(widgets.dataset_name(first.config)),
    }
    if others:
        text = _("**{model}** is chosen. With which model is it compared?", **names)
    else:
        text = _(
            "**{model}** is chosen, and no other model knows the same classes and was "
            "tested on images of {folder}. Train a second one there.",
            **names,
        )
    st.info(text, icon=":material/check_box:")
    labels = {entry.run.id: model_label(entry) for entry in others[:_OFFERED]}
    for at, (run, label) in enumerate(distinct_labels(labels, _WIDEST).items()):
        st.button(
            plain(label),
            key=f"with {run}",
            type="secondary" if at else "primary",
            icon=":material/compare_arrows:",
            on_click=add_to_link,
            args=(first.run.id, run),
        )
    if st.button(
        _("Train another model"),
        type="secondary" if others else "primary",
        icon=":material/play_circle:",
    ):
        folder = first.config.dataset
        st.switch_page(widgets.TRAIN, query_params={"dataset": folder})
