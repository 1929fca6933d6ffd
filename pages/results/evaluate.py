"""How good a finished run really is: numbers, images, curves, thresholds."""

from __future__ import annotations

import streamlit as st

from medmodel.language import N_, _
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.lineage import show_lineage
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.evaluation.advice_view import show_advice
from pages._shared.evaluation.calibration_view import show_calibration
from pages._shared.evaluation.confusion_view import show_mistakes
from pages._shared.evaluation.curves_view import show_curves
from pages._shared.evaluation.evaluation_view import (
    evaluated,
    pick_part,
    show_frame,
    show_frame_details,
)
from pages._shared.evaluation.export_view import show_take_away
from pages._shared.evaluation.external_validation_view import show_external_test
from pages._shared.evaluation.groups_view import show_groups
from pages._shared.evaluation.headline_view import show_headline
from pages._shared.evaluation.metrics_view import show_metrics
from pages._shared.evaluation.operating_point_view import show_operating_point
from pages._shared.evaluation.robustness_view import show_robustness
from pages._shared.evaluation.segmentation_view import show_segmentation
from pages._shared.evaluation.subgroup_view import pick_subgroup
from pages._shared.evaluation.survival_view import show_survival
from pages._shared.multi_label.evaluation_view import show_findings

HEADLINE = N_("Metrics")
# What can be looked at for some of the test images alone, and what cannot.
PARTS = {
    HEADLINE: show_metrics,
    N_("Images"): show_mistakes,
    N_("Curves"): show_curves,
    N_("Calibration"): show_calibration,
}
WHOLE = {
    N_("Operating point"): show_operating_point,
    N_("By group"): show_groups,
    N_("Robustness"): show_robustness,
    N_("External test"): show_external_test,
    N_("Survival"): show_survival,
    N_("Export"): show_take_away,
}


def show(run: Run) -> None:
    if run.imported and not run.predictions_path.exists():
        st.info(
            _(
                "This model was trained elsewhere: it has no test images of its own. "
                "Test it on a data set of this server."
            ),
            icon=":material/info:",
        )
        show_external_test(run)
        show_lineage(run, widgets.EVALUATE)
        return
    evaluation = evaluated(run)
    with st.container(gap="xsmall"):
        show_frame(run, evaluation)
        show_missing_dataset(run.config.dataset)
        # Their row breaks on a projector: a segmented control would be torn apart.
        view = pick_part([*PARTS, *WHOLE], st.pills)
    with errors_shown():
        if view in WHOLE:
            WHOLE[view](run)
        else:
            _show_part(run, view)
        show_advice(run)
    show_frame_details(run, evaluation)
    with errors_shown():
        show_lineage(run, widgets.EVALUATE)


def _show_part(run: Run, view: str) -> None:
    """The headline numbers stand above the choice of some images, which they follow."""
    headline = st.container()
    group = pick_subgroup(run)
    if group is None:
        return
    if view == HEADLINE:
        with headline:
            show_headline(run, group)
    PARTS[view](run, group)


choice = widgets.page_header_beside(
    _("Evaluate"), _("How good a model is, and where it fails.")
)
with errors_shown():
    with choice:
        chosen = pick_model(
            "evaluate", tests=True, segmentations=True, multi_label=True
        )
    if chosen is not None and chosen.config.segments:
        show_segmentation(chosen)
        show_lineage(chosen, widgets.EVALUATE)
    elif chosen is not None and chosen.config.multi_label:
        show_findings(chosen)
        show_lineage(chosen, widgets.EVALUATE)
    elif chosen is not None:
        show(chosen)
    elif not any_model(tests=True, segmentations=True, multi_label=True):
        widgets.empty_state(
            _(
                "No model yet. When a run has ended, its numbers with their "
                "intervals, its mistakes and its curves stand here."
            ),
            widgets.TRAIN,
            _("Train a model"),
        )
