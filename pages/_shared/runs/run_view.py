"""One run's page: live curves, what went wrong, results, settings, log, actions."""

from __future__ import annotations

import json
from collections import deque

import streamlit as st

from medmodel.cluster.records import sent_run
from medmodel.core.config import TrainConfig
from medmodel.core.errors import os_reason
from medmodel.core.regular_files import open_regular
from medmodel.core.settings.network_names import model_title
from medmodel.export.mlflow_run import read_export
from medmodel.language import _, ngettext, translate
from medmodel.model_import.description import FORMAT_TITLES, SCALES
from medmodel.runs import queue, run_index, run_table
from medmodel.runs.run import Run
from medmodel.runs.status import ImportedModel, RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.model_choice import distinct_labels, model_label
from pages._shared.common.trash_view import show_trashed_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.external_validation_view import show_progress
from pages._shared.multi_label.diagnosis_view import worth_sentence
from pages._shared.prediction.segmentation_view import dice_sentence
from pages._shared.runs.ensemble_view import show_members
from pages._shared.runs.live_chart import live_chart
from pages._shared.runs.notes_view import show_notes
from pages._shared.runs.run_actions import show_actions

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
        show_actions(run, status)
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
