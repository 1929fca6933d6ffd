"""The same settings with other seeds: how much of the result is luck."""

from __future__ import annotations

import streamlit as st

from medmodel import audit, catalogue, jobs, repeats
from medmodel.runs import Run
from pages._shared import widgets
from pages._shared.widgets import errors_shown
from pages._shared.words import plain


def show_repeats(run: Run) -> None:
    """What the run's siblings got, and the button that trains more of them."""
    found = catalogue.entries(widgets.store())
    own = next((entry for entry in found if entry.run.id == run.id), None)
    if own is None:
        return
    family = repeats.siblings(own, found)
    measured = [e.test_accuracy for e in family if e.test_accuracy is not None]
    waiting = sum(entry.status.state.active for entry in family)
    st.markdown("**How much of it is luck?**")
    if len(measured) > 1:
        st.markdown(
            f"Trained with {len(measured)} seeds and otherwise the same settings: "
            f"accuracy {plain(repeats.spread(measured))}."
        )
    else:
        st.caption(
            "Trained once so far. Other seeds mean other initial weights, another "
            "order and, where the folders give no split, another split."
        )
    if waiting:
        st.caption(f"{waiting} of them are waiting or being trained.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input("Other seeds", 1, repeats.MOST, 3, width=140)
        if st.button("Train them", icon=":material/replay:"):
            _train(own, [entry.config.seed for entry in family], int(count))
        if len(measured) > 1:
            chosen = [e.run.id for e in family if e.test_accuracy is not None][:6]
            if st.button("Compare them", icon=":material/compare_arrows:"):
                params = {"runs": ",".join(chosen)}
                st.switch_page(widgets.COMPARE, query_params=params)


def _train(own: catalogue.Entry, taken: list[int], count: int) -> None:
    with errors_shown():
        for config in repeats.with_other_seeds(own.config, taken, count):
            run = jobs.submit(config, widgets.store())
            audit.record("train", run=run.id, repeats=own.run.id)
        st.toast(f"{count} runs are waiting for their turn.")
        st.rerun()
