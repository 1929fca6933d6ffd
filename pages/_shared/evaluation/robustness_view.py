"""How a model stands up to noise, blur, compression and the like."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core.processes.background import TaskState
from medmodel.evaluation.robustness.corruption_test import (
    MOST_IMAGES,
    CorruptionTest,
    corruption_state,
    corruption_task,
    known_from_training,
    read_corruption_test,
)
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.imaging.images import png_bytes
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.reports import corruption_figures
from medmodel.runs.run import Run
from pages._shared.common import run_cache, widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.thumbnails import folder_problem
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain


def show_robustness(run: Run) -> None:
    """What corruptions cost: to be tested, being tested, failed, or the result."""
    st.markdown(
        _(
            "Images from another scanner are noisier, blurred, compressed, turned or "
            "cut. Here the test images are made so on purpose, at five strengths, at "
            "the size that the model sees, and predicted again."
        ),
        help=meaning("image corruption"),
    )
    if run.tested_model:
        st.caption(
            _("This is a test on another folder: corruptions are tested of its model.")
        )
        st.page_link(
            widgets.EVALUATE,
            label=_("Evaluation of the model"),
            query_params={"run": run.tested_model},
        )
        return
    busy = corruption_state(run).running
    st.fragment(_show_state, run_every=1 if busy else None)(run, busy)


def _show_state(run: Run, busy: bool) -> None:
    state = corruption_state(run)
    if state.running:
        _show_progress(state)
        _stop_button(run)
        return
    if busy:
        st.rerun()
    if state.error:
        st.error(plain(translate(state.error)), icon=":material/error:")
    if state.phase == "stopped":
        stopped = _("The last test was stopped: nothing of it was kept.")
        st.info(stopped, icon=":material/stop_circle:")
    test = None
    with errors_shown():
        test = _corruption_test(run)
        if test is not None:
            _show_test(run, test)
    with errors_shown():
        _start_button(run, again=test is not None)


def _corruption_test(run: Run) -> CorruptionTest | None:
    path = run.folder / "corruptions.npz"
    version = path.stat().st_mtime_ns if path.exists() else 0
    return _read(str(run.folder), version, run_cache.version(run)) if version else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(folder: str, version: int, predictions: int) -> CorruptionTest | None:
    return read_corruption_test(Run(Path(folder)))


def _start_button(run: Run, again: bool) -> None:
    if not run.has_model:
        st.caption(_("The model of this run is not there any more."))
        return
    count = min(MOST_IMAGES, len(run_cache.split(run).truth))
    if not again:
        st.caption(
            ngettext(
                "{count:,} test image is predicted {times} times in the background.",
                "{count:,} test images are predicted {times} times each in the "
                "background.",
                count,
                times=1 + STRENGTHS * len(CORRUPTIONS),
            )
        )
    label = _("Test again") if again else _("Test under corruptions")
    kind = "secondary" if again else "primary"
    # What is missing, and why, the page says above.
    missing = bool(folder_problem(run.config.dataset))
    if st.button(label, type=kind, icon=":material/blur_on:", disabled=missing):
        corruption_task(run).start()
        st.rerun()


def _stop_button(run: Run) -> None:
    task = corruption_task(run)
    asked = task.stop_requested
    st.button(
        _("Stopping…") if asked else _("Stop"),
        icon=":material/stop_circle:",
        disabled=asked,
        on_click=task.stop,
        help=_(
            "Takes effect once the model has answered the images at hand; nothing of "
            "this test is kept."
        ),
    )


def _show_progress(state: TaskState) -> None:
    sentences = {
        "preparing": _("Reading the test images."),
        "corrupting": _("Corrupting the test images and predicting them again."),
    }
    share = state.done / state.total if state.total else 0.0
    sentence = sentences.get(state.phase, _("Starting."))
    leave = _("You may leave this page; it continues.")
    st.progress(share, join_sentences([sentence, leave]))


def _show_test(run: Run, test: CorruptionTest) -> None:
    st.markdown(f"**{plain(test.verdict)}**")
    if known := known_from_training(run):
        st.caption(plain(known))
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        st.caption(
            _(
                "Accuracy in % of the same {images:,} test images, by strength.",
                images=len(test.clean.truth),
            )
        )
        show_figure(
            corruption_figures.accuracy_table(test),
            "corruptions",
            _("Accuracy under every corruption and strength"),
        )
    with right:
        worst = test.falls() or list(test.corrupted)
        keys = list(test.corrupted)
        key = st.selectbox(
            _("Corruption"),
            keys,
            index=keys.index(worst[0]),
            format_func=lambda key: _(CORRUPTIONS[key].title),
            key=f"corruption-{run.id}",
        )
        st.caption(plain(_(CORRUPTIONS[key].meaning)))
        _show_corruption(test, key)
    _show_examples(test, key)
    csv_button(lambda: _table(test), "corruptions", run)


def _show_corruption(test: CorruptionTest, key: str) -> None:
    for metric, alt in (
        ("accuracy", _("Accuracy over the strength")),
        ("calibration_error", _("Calibration error over the strength")),
    ):
        drawing = corruption_figures.strength_figure(test, key, metric)
        show_figure(drawing, f"strength-{metric}", alt)


def _show_examples(test: CorruptionTest, key: str) -> None:
    """One image after each strength."""
    columns = st.columns(STRENGTHS)
    for strength, (column, pixels) in enumerate(
        zip(columns, test.examples[key], strict=True), start=1
    ):
        column.image(
            png_bytes(pixels),
            caption=_("Strength {strength}", strength=strength),
            width="stretch",
        )


def _table(test: CorruptionTest) -> pd.DataFrame:
    rows = []
    for key in test.corrupted:
        for strength in range(1, STRENGTHS + 1):
            accuracy = test.metric("accuracy", key, strength)
            change = test.change(key, strength)
            error = test.metric("calibration_error", key, strength)
            rows.append(
                {
                    _("Corruption"): _(CORRUPTIONS[key].title),
                    _("Strength"): strength,
                    _("Images"): accuracy.n,
                    _("Accuracy"): accuracy.value,
                    _("Accuracy, low"): accuracy.ends[0],
                    _("Accuracy, high"): accuracy.ends[1],
                    _("Change in accuracy"): change.value,
                    _("Change in accuracy, low"): change.ends[0],
                    _("Change in accuracy, high"): change.ends[1],
                    _("Expected calibration error"): error.value,
                }
            )
    return pd.DataFrame(rows)
