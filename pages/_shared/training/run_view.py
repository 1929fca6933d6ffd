"""One run's page: live curves, what went wrong, results, settings, log, actions."""

from __future__ import annotations

import json
from collections import deque
from enum import Enum

import streamlit as st

from medmodel.cluster.records import sent_run
from medmodel.core.config import TrainConfig
from medmodel.core.errors import os_reason
from medmodel.core.regular_files import open_regular
from medmodel.core.settings.network_names import model_title
from medmodel.evaluation.external_validation import model_run
from medmodel.export.mlflow_run import read_export
from medmodel.language import N_, _, ngettext, translate
from medmodel.model_import.description import FORMAT_TITLES, SCALES
from medmodel.runs import queue, run_index, run_table
from medmodel.runs.run import Run
from medmodel.runs.status import ImportedModel, RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.keyboard import primary_button
from pages._shared.common.model_choice import distinct_labels, model_label
from pages._shared.common.trash_view import show_trashed_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.external_validation_view import show_progress
from pages._shared.multi_label.diagnosis_view import worth_sentence
from pages._shared.prediction.segmentation_view import dice_sentence
from pages._shared.training.ensemble_view import show_members
from pages._shared.training.live_chart import live_chart
from pages._shared.training.notes_view import pin_button, show_notes

LOG_LINES = 200
_WIDEST = 96
"""Letters that the list of runs to compare with has room for."""


def show(run: Run) -> None:
    """The whole page of one run: what it is for stands on the first screen."""
    status, config = run.status, run.config
    test = bool(run.tested_model)
    st.title(plain(config.title), anchor=False)
    # Columns, whose widths do not follow what comes into them: nothing jumps.
    purpose, actions = st.columns([2, 5], vertical_alignment="center")
    with purpose:
        st.markdown(f":gray[{plain(purpose_of(run, config))}]")
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        _actions(run, status)
    for sentence in run.lost_files():
        st.warning(plain(translate(sentence)), icon=":material/folder_off:")
    show_trashed_dataset(config.dataset)
    _failure(run, status)
    ensemble = run.ensemble
    if (test or ensemble) and status.state.active:
        _watch_test(run)
    elif ensemble:
        show_members(run, ensemble)
    elif run.imported:
        _say_imported(run, run.imported)
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
    st.page_link(widgets.RUNS, label=_("All runs"), icon=":material/arrow_back:")


def _pick_beside(run: Run) -> Run | None:
    """Another run of the same data set whose curve lies behind; in ?beside=."""
    dataset = run.config.dataset
    others = {
        entry.run.id: entry
        for entry in run_index.entries(widgets.store())
        if entry.config.dataset == dataset
        and entry.run.id != run.id
        and entry.run.history_path.exists()
        and entry.config.metric == run.config.metric
        and not entry.test_of
    }
    if not others:
        return None
    labels = {run_id: model_label(entry) for run_id, entry in others.items()}
    titles = distinct_labels(labels, _WIDEST)
    asked = st.query_params.get("beside", "")
    ids = list(others)
    chosen = st.selectbox(
        _("Compare with"),
        ids,
        index=ids.index(asked) if asked in others else None,
        format_func=titles.__getitem__,
        placeholder=_("Another run of this data set"),
        key=f"beside-{run.id}",
    )
    if chosen:
        st.query_params["beside"] = chosen
    elif "beside" in st.query_params:
        del st.query_params["beside"]
    return others[chosen].run if chosen in others else None


def purpose_of(run: Run, config: TrainConfig) -> str:
    """What this run is, in one sentence, beyond its title.

    Args:
        run: The run.
        config: Its settings.
    """
    folder = widgets.dataset_name(config)
    if run.imported and not run.tested_model:
        return _("A model that was trained elsewhere.")
    if run.tested_model:
        return _("A finished model tested on {folder}.", folder=folder)
    ensemble = run.ensemble
    if ensemble:
        return ngettext(
            "The mean of {count:,} model trained on {folder}.",
            "The mean of {count:,} models trained on {folder}.",
            len(ensemble.members),
            folder=folder,
        )
    if not config.dataset:
        return _("Its settings are lost: recipe and data set are not known any more.")
    if not config.name:  # its title names recipe and data set
        return _("Network: {network}.", network=model_title(config.model))
    return _(
        "{recipe}, trained on {folder}.", recipe=config.recipe_title, folder=folder
    )


def _say_imported(run: Run, origin: ImportedModel) -> None:
    """Where a model came from, how it is fed, and what is not known of it."""
    facts = run.model_facts
    rows = {
        _("File"): origin.file,
        _("Format"): FORMAT_TITLES.get(origin.format, origin.format),
        _("Made with"): origin.tool or _("not known"),
        "SHA-256": origin.sha256,
        _("Classes"): _(", ").join(facts.class_names),
        _("Input size"): _("{size} × {size} pixels", size=facts.preprocessing.size),
        _("Values that the model takes"): _(SCALES.get(origin.scale, origin.scale)),  # type: ignore[call-overload]
    }
    st.table({_("Fact"): list(rows), _("Value"): [plain(v) for v in rows.values()]})
    st.info(
        _(
            "Its training images are not known. So no image is said to be unlike the "
            "training data, copies of training images are not noticed, and there are "
            "no curves and no validation images. How good it is, an external test "
            "says: Evaluate, test on another folder."
        ),
        icon=":material/info:",
    )
    if not origin.converted:
        st.caption(
            _("For prediction only: heat maps are made by occlusion, which is slow.")
        )


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


def _failure(run: Run, status: Status) -> None:
    failure = status.failure
    if failure is None or status.state.active:
        return
    if status.state is RunStatus.INTERRUPTED:
        box, icon = st.warning, ":material/power_off:"
    else:
        box, icon = st.error, ":material/error:"
    message, advice = translate(failure.message), translate(failure.advice)
    box(f"**{plain(message)}** {plain(advice)}", icon=icon)


def _error_details(run: Run, status: Status) -> None:
    if status.state is RunStatus.FAILED:
        with st.expander(_("Error details"), icon=":material/terminal:"):
            st.code(_log(run, 60) or _("No details."), language=None)


def _results(run: Run) -> None:
    """The test split in numbers; figures are on Evaluate.

    The figures there are drawn by another build of Plotly than the curves here.
    """
    if run.segmentation_path.exists():
        st.subheader(_("How good is it?"), anchor=False)
        st.markdown(plain(dice_sentence(run)))
        return
    if run.findings_path.exists():
        st.subheader(_("How good is it?"), anchor=False)
        st.markdown(plain(worth_sentence(run)))
        return
    if not run.predictions_path.exists():
        return
    from pages._shared.evaluation import evaluation_view as view
    from pages._shared.evaluation.headline_view import show_numbers

    with errors_shown():
        evaluation = view.evaluated(run)
        st.subheader(_("How good is it?"), anchor=False)
        view.show_frame(run, evaluation)
        show_numbers(run)
        view.show_frame_details(run, evaluation)
        view.show_classes(evaluation)


def _details(run: Run, config: TrainConfig) -> None:
    if run.imported:
        return
    with st.expander(_("Settings"), icon=":material/tune:"):
        settings = run_table.settings_in_words(config)
        values = [plain(value) for value in settings.values()]
        st.table({_("Setting"): list(settings), _("Value"): values})
        with errors_shown():
            if run.environment:
                st.markdown(_("Versions and device"))
                st.code(json.dumps(run.environment, indent=1), language=None)
    _say_sent(run)
    _say_node(run)
    with st.expander(_("Log"), icon=":material/article:"):
        st.caption(_("The last {lines} lines of log.txt", lines=LOG_LINES))
        st.code(_log(run, LOG_LINES) or _("Nothing yet."), language=None, height=400)


def _say_sent(run: Run) -> None:
    """Whether the run was sent to MLflow, where that was asked for."""
    export = read_export(run)
    if export is None:
        return
    if export.problem:
        text = plain(translate(export.problem))
        st.caption(f":material/warning: {text}")
    if export.run_id:
        st.caption(_("Sent to MLflow, as its run {id}.", id=plain(export.run_id)))


def _say_node(run: Run) -> None:
    """On which machine of a cluster it is trained, or was, and as which job."""
    sent, node = sent_run(run), queue.node_of(run)
    if node and sent.job:
        st.caption(
            _("Node: {node}. Job: {job}.", node=plain(node), job=plain(sent.job))
        )
    elif sent.job:
        st.caption(_("Job on the cluster: {job}.", job=plain(sent.job)))
    elif node:
        st.caption(_("Node: {node}.", node=plain(node)))


def _log(run: Run, lines: int) -> str:
    try:
        with open_regular(run.folder / "log.txt") as file:
            file.seek(max(file.seek(0, 2) - 300 * lines, 0))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return _("log.txt cannot be read: {reason}.", reason=os_reason(error))
    # A progress bar writes one line over and over: keep what it said last.
    said = (line.rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(deque(said, maxlen=lines)).strip()
