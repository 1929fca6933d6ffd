"""How good a finished run really is: numbers, images, curves, thresholds."""

from __future__ import annotations

import streamlit as st

from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.lineage import show_lineage
from pages._shared.common.widgets import errors_shown
from pages._shared.evaluation.advice_view import show_advice
from pages._shared.evaluation.calibration_view import show_calibration
from pages._shared.evaluation.confusion_view import show_mistakes
from pages._shared.evaluation.curves_view import show_curves
from pages._shared.evaluation.evaluation_view import evaluated, show_frame
from pages._shared.evaluation.export_view import show_take_away
from pages._shared.evaluation.external_validation_view import show_external_test
from pages._shared.evaluation.metrics_view import show_metrics
from pages._shared.evaluation.operating_point_view import show_operating_point
from pages._shared.evaluation.subgroup_view import pick_subgroup

# What can be looked at for some of the test images alone, and what cannot.
PARTS = {
    "Numbers": show_metrics,
    "Images": show_mistakes,
    "Curves": show_curves,
    "Calibration": show_calibration,
}
WHOLE = {
    "Operating point": show_operating_point,
    "Elsewhere": show_external_test,
    "Take away": show_take_away,
}


def pick_view() -> str:
    """The part of the evaluation that is shown; kept in the address as ?view=."""
    return st.segmented_control(
        "What to look at",
        [*PARTS, *WHOLE],
        default="Numbers",
        required=True,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )


def show(run: Run) -> None:
    show_frame(run, evaluated(run))
    view = pick_view()
    with errors_shown():
        if view in WHOLE:
            WHOLE[view](run)
        elif (group := pick_subgroup(run)) is not None:
            PARTS[view](run, group)
        show_advice(run)
        show_lineage(run)


widgets.page_header(
    "Evaluate", "How good a trained model is, how sure that is, and where it fails."
)
with errors_shown():
    chosen = widgets.pick_run(tests=True)
    if chosen is None:
        widgets.empty_state(
            "No model yet. When a run has ended, its numbers with their intervals, its "
            "mistakes and its curves stand here.",
            widgets.TRAIN,
            "Train a model",
        )
    else:
        show(chosen)
