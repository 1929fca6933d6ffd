"""Refitting with the corrected labels, what that changed, and the curve of it."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.data.corrections.label_corrections import corrected_labels
from medmodel.evaluation.review.refit import (
    RefitResult,
    corrections_of,
    original_run,
    refit_result,
    refits_of,
    submit_refit,
)
from medmodel.language import _, ngettext, translate
from medmodel.reports import figures
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split
from pages._shared.common import widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.words import STATE_TITLES, plain


def show_refit(run: Run) -> None:
    """The button, the last refit and the accuracy against reviewed labels."""
    source = original_run(run, widgets.store())
    table = read_split(source)
    paths = set(table["path"])
    reviewed = [c for c in corrections_of(source) if c.path in paths]
    labels = dict(zip(table["path"], table["label"], strict=True))
    corrected = corrected_labels(labels, reviewed, source.model_facts.class_names)
    changed = sum(labels[path] != label for path, label in corrected.items())
    count = ngettext(
        "{count:,} label reviewed, {changed:,} corrected.",
        "{count:,} labels reviewed, {changed:,} corrected.",
        len(reviewed),
        changed=changed,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            _("Refit with the corrected labels"),
            type="primary",
            icon=":material/model_training:",
            disabled=not changed,
        ):
            submit_refit(source, widgets.store())
            queue.ensure_worker(widgets.store())
            st.rerun()
        st.markdown(count)
    refits = refits_of(source, widgets.store())
    # It is looked at again and again only while there is something to come.
    active = bool(refits) and refits[-1].status.state.active
    show = st.fragment(_show_refits, run_every="1s" if active else None)
    show(source, corrected)


def _show_refits(source: Run, labels: dict[str, str]) -> None:
    refits = refits_of(source, widgets.store())
    if not refits:
        st.caption(
            _(
                "Nothing was refitted yet. A refit is a run of its own: the last layer "
                "is trained again with the corrected labels. The split stays, so that "
                "no test image is trained on."
            )
        )
        return
    last = refits[-1]
    status = last.status
    result, problem = value_or_problem(refit_result, last, labels)
    if problem:
        st.error(plain(problem), icon=":material/error:")
    elif result is not None:
        st.markdown(plain(result))
    else:
        st.markdown(
            _(
                "Refit: {state_word}. {message}",
                state_word=_(STATE_TITLES[status.state]),
                message=plain(translate(status.message)),
            )
        )
    if last.has_model:
        st.page_link(
            widgets.EVALUATE,
            label=_("Evaluate the refitted model"),
            icon=":material/query_stats:",
            query_params={"run": last.id},
        )
    _show_curve(refits, labels)


def _show_curve(refits: list[Run], labels: dict[str, str]) -> None:
    points: list[tuple[int, RefitResult]] = []
    for refit in refits:
        result, _problem = value_or_problem(refit_result, refit, labels)
        if result is not None and refit.refit is not None:
            points.append((refit.refit.reviewed, result))
    if not points:
        return
    counts = [0, *(count for count, _result in points)]
    accuracies = [points[0][1].before, *(result.after for _count, result in points)]
    show_figure(
        figures.accuracy_by_labels_figure(counts, accuracies),
        "accuracy-by-labels",
        _("Validation accuracy against the number of reviewed labels"),
    )
    st.caption(
        _(
            "Validation accuracy against reviewed labels, with 95 % intervals; all "
            "points by the labels as they are corrected now."
        )
    )
