"""Review labels: look at those that would teach most, correct them, refit."""

from __future__ import annotations

import streamlit as st

from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.widgets import errors_shown
from pages._shared.review.refit_view import show_refit
from pages._shared.review.review_view import show_corrections, show_review


def show(run: Run) -> None:
    if run.config.training != "frozen" or run.imported:
        st.info(
            _("Only runs of the recipe Instant are refitted: choose one."),
            icon=":material/info:",
        )
        return
    with errors_shown():
        show_review(run)
    with errors_shown():
        show_refit(run)
        show_corrections(run)


choice = widgets.page_header_beside(
    _("Review labels"),
    _("Correct the labels that would teach most, and refit the model."),
)
with errors_shown():
    with choice:
        chosen = pick_model("review")
    if chosen is not None:
        show(chosen)
    elif not any_model():
        widgets.empty_state(
            _(
                "No model yet. When a run of the recipe Instant has ended, the labels "
                "of its images can be reviewed here."
            ),
            widgets.TRAIN,
            _("Train a model"),
        )
