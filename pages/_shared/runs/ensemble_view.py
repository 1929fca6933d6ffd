"""The members of an ensemble: which models are averaged, and how each sees images."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.core.errors import RunError
from medmodel.evaluation.robustness.corruption_test import corrupted_members
from medmodel.language import _
from medmodel.reports.plots import shortened
from medmodel.runs.run import Run
from medmodel.runs.setting_words import setting_text
from medmodel.runs.status import Ensemble, EnsembleMember
from pages._shared.common import widgets
from pages._shared.common.model_choice import day_and_time
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

_LETTERS = 18
"""Of a member's title in its link: with the date as many as a phone has room for."""


def show_members(run: Run, ensemble: Ensemble) -> None:
    """A line for each member, a link to those that are still there."""
    st.subheader(_("Members"), anchor=False)
    with errors_shown():
        if run.has_model:
            _show_table(run.model_facts.members)
            st.caption(
                _(
                    "{mean} of the members' probabilities, each calibrated on its "
                    "validation images. Their networks are part of this model: a "
                    "member that is deleted takes nothing from it.",
                    mean=_("Geometric mean")
                    if run.model_facts.geometric
                    else _("Arithmetic mean"),
                )
            )
        if corrupted := corrupted_members(run):
            st.caption(plain(corrupted))
    with st.container(horizontal=True):
        for run_id, title in ensemble.members.items():
            if _is_there(run_id):
                st.page_link(
                    widgets.RUNS,
                    label=plain(_name(shortened(title, _LETTERS), run_id)),
                    icon=":material/monitoring:",
                    query_params={"run": run_id},
                )


def _name(title: str, run_id: str) -> str:
    """A title with its date: members are often called alike."""
    return f"{title} · {day_and_time(run_id)}"


def _is_there(run_id: str) -> bool:
    try:
        widgets.store().get(run_id)
    except RunError:
        return False
    return True


def _show_table(members: list[EnsembleMember]) -> None:
    seen = [member.preprocessing for member in members]
    table = pd.DataFrame(
        {
            _("Run"): [_name(member.title, member.run) for member in members],
            _("Input size"): [setting_text("size", images.size) for images in seen],
            _("Colour"): [setting_text("colour", images.colour) for images in seen],
            _("Temperature"): [member.temperature for member in members],
        }
    )
    number = st.column_config.NumberColumn(format="%.2f")
    show_table(
        table,
        hide_index=True,
        column_config={_("Temperature"): number},
        width="content",
        alt=_("Members of the ensemble"),
    )
