"""What can be done with a run: the next steps, stop, delete."""

from __future__ import annotations

from enum import Enum

import streamlit as st

from medmodel.evaluation.external_validation import model_run
from medmodel.language import N_, _
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.keyboard import primary_button
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.runs.notes_view import pin_button


def show_actions(run: Run, status: Status) -> None:
    """The one primary button, and behind "More" what is seldom needed."""
    if status.state.active:
        _stop_button(run, status)
        steps: list[NextStep] = []
    else:
        steps = next_steps(run, status)
        for position, step in enumerate(steps):
            _step_button(run, step, primary=position == 0)
    with st.popover(_("More"), icon=":material/more_horiz:"):
        trained = not run.tested_model and not run.imported and not run.ensemble
        if trained and NextStep.TRAIN_AGAIN not in steps:
            _step_button(run, NextStep.TRAIN_AGAIN)
        pin_button(run)
        if not status.state.active and st.button(_("Delete"), icon=":material/delete:"):
            st.dialog(_("Delete this run?"))(_ask_to_delete)(run)


class NextStep(Enum):
    """What may be done with a run that has ended."""

    DIAGNOSE = N_("Diagnose with this model")
    EVALUATE = N_("Evaluate")
    RESUME = N_("Resume")
    OPEN_DATASET = N_("Open the data set")
    TRAIN_AGAIN = N_("Train again")


_RETRIED = ("killed", "disk_full", "storage", "cluster")
"""Kinds of failure after which the same run may well end better."""
_ICONS = {
    NextStep.DIAGNOSE: ":material/image_search:",
    NextStep.EVALUATE: ":material/query_stats:",
    NextStep.RESUME: ":material/resume:",
    NextStep.OPEN_DATASET: ":material/folder_open:",
    NextStep.TRAIN_AGAIN: ":material/replay:",
}
_HELP = {
    NextStep.EVALUATE: N_("Metrics, images, curves, thresholds and calibration."),
    NextStep.RESUME: N_("Goes on from the last finished epoch."),
    NextStep.TRAIN_AGAIN: N_("Opens the form with these settings."),
}


def next_steps(run: Run, status: Status) -> list[NextStep]:
    """What makes sense after a run has ended, what helps most first.

    Args:
        run: A run that is neither waiting nor at work.
        status: Its status.
    """
    results: list[NextStep] = []
    if run.model_path.exists():
        if model_run(run, widgets.store()):
            results.append(NextStep.DIAGNOSE)
        answers = (run.predictions_path, run.segmentation_path, run.findings_path)
        judged = any(path.exists() for path in answers)
        if judged or run.imported:
            results.append(NextStep.EVALUATE)
    if status.state is RunStatus.DONE:
        return results[::-1] if run.tested_model else results
    # What failed fails again unless something is changed first.
    kind = status.failure.kind if status.failure else "killed"
    if kind == "data":
        return [NextStep.OPEN_DATASET, NextStep.RESUME, *results]
    if kind not in _RETRIED and not run.tested_model and not run.ensemble:
        return [NextStep.TRAIN_AGAIN, NextStep.RESUME, *results]
    return [NextStep.RESUME, *results]


def _step_button(run: Run, step: NextStep, primary: bool = False) -> None:
    icon, label = _ICONS[step], _(step.value)
    tip = _(_HELP[step]) if step in _HELP else ""
    if primary:
        pressed = primary_button(label, "Ctrl+Enter", icon=icon, help=tip)
    else:
        pressed = st.button(label, icon=icon, help=tip or None)
    if not pressed:
        return
    with errors_shown():
        _take(run, step)


def _take(run: Run, step: NextStep) -> None:
    dataset = run.config.dataset
    if step is NextStep.RESUME:
        queue.resume(run, widgets.store())
        st.rerun()
    if step is NextStep.DIAGNOSE:
        model = model_run(run, widgets.store())
        st.switch_page(widgets.DIAGNOSE, query_params={"run": (model or run).id})
    if step is NextStep.EVALUATE:
        st.switch_page(widgets.EVALUATE, query_params={"run": run.id})
    if step is NextStep.OPEN_DATASET:
        st.switch_page(widgets.DATASETS, query_params={"dataset": dataset})
    params = {"dataset": dataset, "like": run.id}
    st.switch_page(widgets.TRAIN, query_params=params)


def _stop_button(run: Run, status: Status) -> None:
    stop_requested = run.stop_requested
    overdue = stop_requested and queue.stop_overdue(run)
    if st.button(
        _("End it now") if overdue else _("Stopping…") if stop_requested else _("Stop"),
        icon=":material/stop_circle:",
        disabled=stop_requested and not overdue,
        help=_("Takes effect after the current step; the best model so far is kept."),
    ):
        with errors_shown():
            queue.stop(run)
            if status.state is RunStatus.RUNNING and not overdue:
                st.toast(_("Stopping after the current step. The best model is kept."))
            st.rerun()
    if stop_requested and not overdue:
        _await_stop(run)


@st.fragment(run_every=5)
def _await_stop(run: Run) -> None:
    """Offers to end a worker by force once it has had its time."""
    if queue.stop_overdue(run):
        st.rerun()


def _ask_to_delete(run: Run) -> None:
    st.write(
        _(
            "{run}: it is moved to the trash and removed after 7 days. The data set "
            "stays.",
            run=plain(run.title),
        )
    )
    with st.container(horizontal=True), errors_shown():
        if st.button(_("Delete it"), type="primary"):
            queue.delete(run, widgets.store())
            st.query_params.clear()
            st.rerun()
        if st.button(_("Keep it")):
            st.rerun()
