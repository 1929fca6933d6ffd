"""One run's page: live curves, what went wrong, results, settings, log, actions."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from enum import Enum

import streamlit as st

from medmodel.core.config import RECIPES, TrainConfig
from medmodel.core.regular_files import open_regular
from medmodel.evaluation.external_validation import model_run
from medmodel.runs import queue, run_index
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.keyboard import primary_button
from pages._shared.common.model_choice import model_label
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import disambiguate, plain
from pages._shared.evaluation.external_validation_view import show_progress
from pages._shared.training.live_chart import live_chart
from pages._shared.training.notes_view import pin_button, show_notes

LOG_LINES = 200


def show(run: Run) -> None:
    """The whole page of one run: what it is for stands on the first screen."""
    status, config = run.status, run.config
    test = bool(run.tested_model)
    st.title(plain(config.title), anchor=False)
    # Columns, whose widths do not follow what comes into them: nothing jumps.
    purpose, actions = st.columns([2, 5], vertical_alignment="center")
    with purpose:
        st.markdown(f":gray[{plain(_purpose(config, test))}]")
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        _actions(run, status)
    for sentence in run.lost_files():
        st.warning(plain(sentence), icon=":material/folder_off:")
    _failure(run, status)
    if test and status.state.active:
        _watch_test(run)
    elif not test:
        place = st.container()
        beside = _pick_beside(run)
        with place:
            live_chart(run, status, beside)
    _error_details(run, status)
    if not status.state.active:
        _results(run)
    show_notes(run)
    _details(run, config)
    st.page_link(widgets.RUNS, label="All runs", icon=":material/arrow_back:")


def _pick_beside(run: Run) -> Run | None:
    """Another run of the same data set whose curve lies behind; in ?beside=."""
    dataset = run.config.dataset
    others = {
        entry.run.id: entry
        for entry in run_index.entries(widgets.store())
        if entry.config.dataset == dataset
        and entry.run.id != run.id
        and entry.run.history_path.exists()
        and not entry.test_of
    }
    if not others:
        return None
    labels = {run_id: model_label(entry) for run_id, entry in others.items()}
    titles = disambiguate(labels, lambda run_id: run_id[-6:])
    asked = st.query_params.get("beside", "")
    ids = list(others)
    chosen = st.selectbox(
        "Compare with",
        ids,
        index=ids.index(asked) if asked in others else None,
        format_func=titles.__getitem__,
        placeholder="Another run of this data set",
        key=f"beside-{run.id}",
    )
    if chosen:
        st.query_params["beside"] = chosen
    elif "beside" in st.query_params:
        del st.query_params["beside"]
    return others[chosen].run if chosen in others else None


def _purpose(config: TrainConfig, test: bool) -> str:
    """What this run is, in one sentence."""
    folder = widgets.dataset_name(config)
    if test:
        return f"A finished model tested on {folder}."
    recipe = RECIPES.get(config.recipe)
    title = recipe.title if recipe else config.recipe
    return f"{title}, trained on {folder}."


@st.fragment(run_every=1.0)
def _watch_test(run: Run) -> None:
    if not run.status.state.active:
        st.rerun()
    show_progress(run)


def _actions(run: Run, status: Status) -> None:
    """The one primary button, and behind "More" what is seldom needed."""
    if status.state.active:
        _stop_button(run, status)
        steps: list[NextStep] = []
    else:
        steps = next_steps(run, status)
        for position, step in enumerate(steps):
            _step_button(run, step, primary=position == 0)
    with st.popover("More", icon=":material/more_horiz:"):
        if not run.tested_model and NextStep.TRAIN_AGAIN not in steps:
            _step_button(run, NextStep.TRAIN_AGAIN)
        pin_button(run)
        if not status.state.active and st.button("Delete", icon=":material/delete:"):
            _ask_to_delete(run)


class NextStep(Enum):
    """What may be done with a run that has ended."""

    DIAGNOSE = "Diagnose with this model"
    EVALUATE = "Evaluate"
    RESUME = "Resume"
    OPEN_DATASET = "Open the data set"
    TRAIN_AGAIN = "Train again"


_RETRIED = ("killed", "disk_full")
"""Kinds of failure after which the same run may well end better."""
_ICONS = {
    NextStep.DIAGNOSE: ":material/image_search:",
    NextStep.EVALUATE: ":material/query_stats:",
    NextStep.RESUME: ":material/resume:",
    NextStep.OPEN_DATASET: ":material/folder_open:",
    NextStep.TRAIN_AGAIN: ":material/replay:",
}
_HELP = {
    NextStep.EVALUATE: "Metrics, images, curves, thresholds and calibration.",
    NextStep.RESUME: "Goes on from the last finished epoch.",
    NextStep.TRAIN_AGAIN: "Opens the form with these settings.",
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
        if run.predictions_path.exists():
            results.append(NextStep.EVALUATE)
    if status.state is RunStatus.DONE:
        return results[::-1] if run.tested_model else results
    # What failed fails again unless something is changed first.
    kind = status.failure.kind if status.failure else "killed"
    if kind == "data":
        return [NextStep.OPEN_DATASET, NextStep.RESUME, *results]
    if kind not in _RETRIED and not run.tested_model:
        return [NextStep.TRAIN_AGAIN, NextStep.RESUME, *results]
    return [NextStep.RESUME, *results]


def _step_button(run: Run, step: NextStep, primary: bool = False) -> None:
    icon, tip = _ICONS[step], _HELP.get(step, "")
    if primary:
        pressed = primary_button(step.value, "Ctrl+Enter", icon=icon, help=tip)
    else:
        pressed = st.button(step.value, icon=icon, help=tip or None)
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
        "End it now" if overdue else "Stopping…" if stop_requested else "Stop",
        icon=":material/stop_circle:",
        disabled=stop_requested and not overdue,
        help="Takes effect after the current step; the best model so far is kept.",
    ):
        with errors_shown():
            queue.stop(run)
            if status.state is RunStatus.RUNNING and not overdue:
                st.toast("Stopping after the current step. The best model is kept.")
            st.rerun()
    if stop_requested and not overdue:
        _await_stop(run)


@st.fragment(run_every=5)
def _await_stop(run: Run) -> None:
    """Offers to end a worker by force once it has had its time."""
    if queue.stop_overdue(run):
        st.rerun()


@st.dialog("Delete this run?")
def _ask_to_delete(run: Run) -> None:
    st.write(
        f"{plain(run.title)}: it is moved to the trash and removed after 7 days. "
        "The data set stays."
    )
    with st.container(horizontal=True), errors_shown():
        if st.button("Delete it", type="primary"):
            queue.delete(run, widgets.store())
            st.query_params.clear()
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _failure(run: Run, status: Status) -> None:
    failure = status.failure
    if failure is None or status.state.active:
        return
    if status.state is RunStatus.INTERRUPTED:
        box, icon = st.warning, ":material/power_off:"
    else:
        box, icon = st.error, ":material/error:"
    box(f"**{plain(failure.message)}** {plain(failure.advice)}", icon=icon)


def _error_details(run: Run, status: Status) -> None:
    if status.state is RunStatus.FAILED:
        with st.expander("Error details", icon=":material/terminal:"):
            st.code(_log(run, 60) or "No details.", language=None)


def _results(run: Run) -> None:
    """The test split in numbers; figures are on Evaluate.

    The figures there are drawn by another build of Plotly than the curves here.
    """
    if not run.predictions_path.exists():
        return
    from pages._shared.evaluation import evaluation_view as view
    from pages._shared.evaluation.headline_view import show_numbers

    with errors_shown():
        evaluation = view.evaluated(run)
        st.subheader("How good is it?", anchor=False)
        view.show_frame(run, evaluation)
        show_numbers(run)
        view.show_frame_details(run, evaluation)
        view.show_classes(evaluation)


def _details(run: Run, config: TrainConfig) -> None:
    with st.expander("Settings", icon=":material/tune:"):
        st.json(json.dumps(asdict(config)), expanded=True)
        with errors_shown():
            if run.environment:
                st.markdown("Versions and device")
                st.json(json.dumps(run.environment))
    with st.expander("Log", icon=":material/article:"):
        st.caption(f"The last {LOG_LINES} lines of log.txt")
        st.code(_log(run, LOG_LINES) or "Nothing yet.", language=None, height=400)


def _log(run: Run, lines: int) -> str:
    try:
        with open_regular(run.folder / "log.txt") as file:
            file.seek(max(file.seek(0, 2) - 300 * lines, 0))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"log.txt cannot be read: {error.strerror}."
    # A progress bar writes one line over and over: keep what it said last.
    said = (line.rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(deque(said, maxlen=lines)).strip()
