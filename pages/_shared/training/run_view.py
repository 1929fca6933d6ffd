"""One run's page: live curves, what went wrong, results, settings, log, actions."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict

import streamlit as st

from medmodel.core.config import MODEL_NAMES, RECIPES, TrainConfig
from medmodel.core.regular_files import open_regular
from medmodel.evaluation.external_validation import model_run
from medmodel.runs import queue
from medmodel.runs.run import Run, RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.evaluation.external_validation_view import show_progress
from pages._shared.training.live_chart import live_chart
from pages._shared.training.notes_view import show_notes

LOG_LINES = 200


def show(run: Run) -> None:
    """The whole page of one run."""
    status, config = run.status, run.config
    recipe = RECIPES.get(config.recipe)
    st.page_link(widgets.RUNS, label="All runs", icon=":material/arrow_back:")
    test = bool(run.tested_model)
    page_header(
        config.title,
        f"A finished model tested on {widgets.dataset_name(config)}."
        if test
        else f"{recipe.title if recipe else config.recipe}: "
        f"{MODEL_NAMES.get(config.model, config.model)}, trained on "
        f"{widgets.dataset_name(config)}.",
    )
    for sentence in run.lost_files():
        st.warning(plain(sentence), icon=":material/folder_off:")
    show_notes(run)
    _actions(run, status)
    _failure(run, status)
    if test and status.state.active:
        _watch_test(run)
    elif not test:
        live_chart(run, status.state)
    if not status.state.active:
        _results(run)
    _details(run, config)


@st.fragment(run_every=1.0)
def _watch_test(run: Run) -> None:
    if not run.status.state.active:
        st.rerun()
    show_progress(run)


def _actions(run: Run, status: Status) -> None:
    has_model = run.model_path.exists()
    with st.container(horizontal=True):
        if status.state.active:
            _stop_button(run, status)
        elif status.state is not RunStatus.DONE and st.button(
            "Resume",
            type="primary",
            icon=":material/resume:",
            shortcut="Ctrl+Enter",
            help="Goes on from the last finished epoch.",
        ):
            with errors_shown():
                queue.resume(run, widgets.store())
                st.rerun()
        if has_model and not status.state.active:
            done = status.state is RunStatus.DONE and not run.tested_model
            model = model_run(run, widgets.store())
            if model and st.button(
                "Diagnose with this model",
                type="primary" if done else "secondary",
                icon=":material/image_search:",
                shortcut="Ctrl+Enter" if done else None,
            ):
                st.switch_page(widgets.DIAGNOSE, query_params={"run": model.id})
            if run.predictions_path.exists() and st.button(
                "Evaluate it",
                icon=":material/query_stats:",
                type="primary" if run.tested_model else "secondary",
                help="Every number, its images, curves, thresholds and calibration.",
            ):
                st.switch_page(widgets.EVALUATE, query_params={"run": run.id})
        if not run.tested_model and st.button(
            "Train again",
            icon=":material/replay:",
            help="Opens the form with these settings.",
        ):
            params = {"dataset": run.config.dataset, "like": run.id}
            st.switch_page(widgets.TRAIN, query_params=params)
        if not status.state.active and st.button("Delete", icon=":material/delete:"):
            _ask_to_delete(run)


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
        f"{plain(run.title)}: its model, curves and log will be removed for good. "
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
    box(f"**{plain(failure.message)}**\n\n{plain(failure.advice)}", icon=icon)
    if status.state is RunStatus.FAILED:
        with st.expander("What the program said", icon=":material/terminal:"):
            st.code(_log(run, 60) or "Nothing.", language=None)


def _results(run: Run) -> None:
    if not run.predictions_path.exists():
        return
    from pages._shared.evaluation.evaluation_view import show_evaluation

    with errors_shown():
        show_evaluation(run)


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
