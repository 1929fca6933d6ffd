"""Which of several runs is better, on the same test images."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medmodel.evaluation import cross_validation
from medmodel.language import _
from medmodel.runs import run_index, run_table
from medmodel.runs.run_entry import Entry
from medmodel.runs.setting_words import what_it_does
from pages._shared.common import widgets
from pages._shared.common.charts import pick_format
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison.another_model_view import ask_for_another
from pages._shared.comparison.compared_curves_view import show_epochs
from pages._shared.comparison.compared_segmentations_view import (
    show_compared_segmentations,
)
from pages._shared.comparison.comparison_view import show_comparison, show_settings
from pages._shared.comparison.model_picker import (
    compared_models,
    is_tested,
)
from pages._shared.multi_label.comparison_view import show_compared_findings


def show() -> None:
    choice = widgets.page_header_beside(
        _("Compare"), _("Which of several models is better on the same test images.")
    )
    all_entries = run_index.entries(widgets.store())
    if not any(map(is_tested, all_entries)):
        widgets.empty_state(
            _(
                "No model has test results yet. Two that were tested on the same "
                "images are compared here, image by image."
            ),
            widgets.TRAIN,
            _("Train a model"),
        )
        return
    with choice:
        chosen = compared_models(all_entries)
    if other := next(
        (e for e in chosen if e.config.metric != chosen[0].config.metric), None
    ):
        _say_kinds_differ(chosen[0], other)
    elif len(chosen) >= 2:
        _compare(chosen, all_entries)
    elif chosen:
        ask_for_another(chosen[0], all_entries)
    else:
        st.info(_("Choose two models above."), icon=":material/check_box:")


def _compare(entries: Sequence[Entry], all_entries: Sequence[Entry]) -> None:
    models = cross_validation.compared_models(entries, all_entries)
    if len(models) == 1:
        st.info(
            _(
                "These are folds of one cross-validation: they have no test image in "
                "common, and stand for one model. Tick another run, or a fold of "
                "another cross-validation."
            )
        )
        return
    config = entries[0].config
    names = run_table.distinct_names(entries, short=True)
    if config.segments:
        show_compared_segmentations(models)
    elif config.multi_label:
        show_compared_findings(models)
    else:
        show_comparison(models)
        # A test elsewhere has no epochs of its own.
        trained = {names[e.run.id]: e.run for e in entries if not e.test_of}
        if trained:
            show_epochs(trained)
    show_settings(entries, names)
    if not config.segments:
        pick_format()


def _say_kinds_differ(first: Entry, second: Entry) -> None:
    st.error(
        _(
            "{first} {does}, {second} {does_other}: there is no number in which both "
            "could be compared. Choose models of one kind above.",
            first=plain(first.title),
            does=what_it_does(first.config),
            second=plain(second.title),
            does_other=what_it_does(second.config),
        ),
        icon=":material/compare_arrows:",
    )


with errors_shown():
    show()
