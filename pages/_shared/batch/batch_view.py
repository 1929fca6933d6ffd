"""One batch: how far it is, what it says in all, its images, its table."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pandas as pd
import streamlit as st

from medmodel.batch import jobs, table
from medmodel.language import _, ngettext, translate
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.predictions import scored_classes
from pages._shared.batch.batch_gallery import show_gallery
from pages._shared.batch.batch_list import state_sentence
from pages._shared.batch.batch_table import described
from pages._shared.batch.outline_results import (
    show_mask_download,
    show_outlined_classes,
)
from pages._shared.common import widgets
from pages._shared.common.downloads import noted
from pages._shared.common.keyboard import primary_button
from pages._shared.common.tables import show_table
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.external_validation_view import show_progress
from pages._shared.multi_label.batch_view import show_flagged_findings
from pages._shared.runs.queue_view import place_sentence

_PARQUET = "application/vnd.apache.parquet"


def show_batch(batch: Run) -> None:
    """The whole page of one batch."""
    status, model = batch.status, jobs.model_of(batch)
    st.title(plain(widgets.folder_name(batch.config.dataset)), anchor=False)
    title = model.title if model else _("The model was deleted.")
    st.markdown(f":gray[{plain(title)} · {plain(state_sentence(status))}]")
    _show_actions(batch, status, model)
    _show_failure(status)
    if status.state.active:
        _watch(batch)
    rows = described(batch, model)
    if len(rows):
        _show_results(batch, model, rows, status)
    elif not status.state.active:
        st.info(_("There is no line in the table yet."))
    st.page_link(widgets.BATCH, label=_("All batches"), icon=":material/arrow_back:")


@st.fragment(run_every=1.0)
def _watch(batch: Run) -> None:
    state = batch.status.state
    if not state.active:
        st.rerun()
    show_progress(batch)
    if state is RunStatus.QUEUED and (place := place_sentence(batch)):
        st.caption(plain(place))
    st.caption(
        _(
            "You may leave this page; it continues. What is below is as far as it was "
            "when the page was opened."
        )
    )


def _show_actions(batch: Run, status: Status, model: Run | None) -> None:
    with st.container(horizontal=True), errors_shown():
        if status.state.active:
            _stop_button(batch)
        elif status.state is not RunStatus.DONE and primary_button(
            _("Resume"),
            "Ctrl+Enter",
            icon=":material/resume:",
            help=_("Goes on after the last line of the table."),
        ):
            queue.resume(batch, jobs.batch_store())
            st.rerun()
        if model and st.button(_("Diagnose with this model"), icon=":material/search:"):
            st.switch_page(widgets.DIAGNOSE, query_params={"run": model.id})
        if not status.state.active and st.button(
            _("Delete"),
            icon=":material/delete:",
            help=_("Moves it to the trash for 7 days; the images stay."),
        ):
            queue.delete(batch, jobs.batch_store())
            st.switch_page(widgets.BATCH)


def _stop_button(batch: Run) -> None:
    asked = batch.stop_requested
    overdue = asked and queue.stop_overdue(batch)
    if st.button(
        _("End it now") if overdue else _("Stopping…") if asked else _("Stop"),
        icon=":material/stop_circle:",
        disabled=asked and not overdue,
        help=_("Takes effect within some seconds; the lines so far are kept."),
    ):
        queue.stop(batch)
        st.rerun()


def _show_failure(status: Status) -> None:
    if status.state is RunStatus.INTERRUPTED:
        st.warning(
            _(
                "The process of this batch ended without a word: it was killed, ran "
                "out of memory, or the machine went down. Nothing is lost: press "
                "Resume."
            ),
            icon=":material/power_off:",
        )
    elif status.failure and not status.state.active:
        failure = status.failure
        message, advice = translate(failure.message), translate(failure.advice)
        st.error(f"**{plain(message)}** {plain(advice)}", icon=":material/error:")


def _show_results(
    batch: Run, model: Run | None, rows: pd.DataFrame, status: Status
) -> None:
    outlines = batch.config.segments
    if model is None:
        st.warning(_without_model(batch), icon=":material/help:")
    _show_counts(rows)
    if outlines:
        show_outlined_classes(rows)
    elif batch.config.multi_label:
        show_flagged_findings(rows)
    else:
        _show_classes(rows)
    _show_downloads(batch, rows)
    if outlines:
        show_mask_download(batch, rows)
    st.subheader(_("Images"), anchor=False)
    missing = show_missing_dataset(batch.config.dataset)
    if not missing:
        show_gallery(batch, model, rows)
    _show_problems(rows)


def _without_model(batch: Run) -> str:
    if batch.config.segments:
        return _(
            "The model of this batch was deleted: its contours are not drawn on the "
            "images. The table and the masks stay as they are."
        )
    if batch.config.multi_label:
        return _(
            "The model of this batch was deleted: its thresholds and calibration are "
            "not known, and scores are as the model gave them."
        )
    return _(
        "The model of this batch was deleted: its thresholds, calibration and "
        "prediction sets are not known, and scores are as the model gave them."
    )


def _show_counts(rows: pd.DataFrame) -> None:
    readable = rows[rows["problem"] == ""]
    unlike = readable["unlike_training"]
    learned = int((readable["split"] != "").sum())
    shown = st.columns(4)
    shown[0].metric(
        _("Images read"), f"{len(readable):,}", border=True, height=widgets.TILE
    )
    shown[1].metric(
        _("Not readable"),
        f"{len(rows) - len(readable):,}",
        border=True,
        height=widgets.TILE,
    )
    shown[2].metric(
        _("Unlike the training data"),
        f"{int((unlike == 1).sum()):,}" if unlike.notna().any() else "–",
        border=True,
        height=widgets.TILE,
    )
    shown[3].metric(
        _("Seen before"),
        f"{learned:,}",
        help=_(
            "The model was trained or chosen with these very images: what it says of "
            "them tells nothing of how good it is."
        ),
        border=True,
        height=widgets.TILE,
    )
    if len(readable) and unlike.isna().all():
        st.caption(
            _("Whether images are unlike the training data is not known of this model.")
        )


def _show_classes(rows: pd.DataFrame) -> None:
    table_of_classes = class_table(rows)
    show_table(
        table_of_classes,
        hide_index=True,
        alt=_("How many images have which predicted class"),
    )
    notes = [_("Images that are unlike the training data are counted, too.")]
    if any(name.startswith("in_set_") for name in map(str, rows)):
        notes.append(
            _(
                "Prediction sets with {coverage:.0f} % coverage hold the true class "
                "for so large a proportion of images like the validation images.",
                coverage=100 * table.COVERAGE,
            )
        )
    if not any(name.startswith("flagged_") for name in map(str, rows)):
        notes.append(
            _("No decision threshold was chosen in Evaluate: no image is flagged.")
        )
    st.caption(" ".join(notes))


def class_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How many images each class was predicted of, flagged for, in the set of."""
    lines = []
    for name in scored_classes(rows):
        line = {
            _("Class"): name,
            _("Predicted"): int((rows["predicted"] == name).sum()),
        }
        if (flagged := f"flagged_{name}") in rows:
            line[_("Flagged")] = int((rows[flagged] == 1).sum())
        if (inside := f"in_set_{name}") in rows:
            line[_("In the prediction set")] = int((rows[inside] == 1).sum())
        lines.append(line)
    counts = pd.DataFrame(lines)
    # A class without a threshold cannot be flagged: no number, not 0.
    return counts.astype(dict.fromkeys(counts.columns[1:], "Int64"))


def _show_downloads(batch: Run, rows: pd.DataFrame) -> None:
    kinds = (
        ("CSV", "csv", "text/csv", table.csv_bytes),
        ("Parquet", "parquet", _PARQUET, table.parquet_bytes),
    )
    with st.container(horizontal=True):
        for title, ending, mime, write in kinds:
            st.download_button(
                _("Download {format}", format=title),
                noted(
                    functools.partial(_file, write, rows),
                    "export",
                    batch=batch.id,
                    what=f"batch {ending}",
                ),
                file_name=f"batch-{batch.id}.{ending}",
                mime=mime,
                icon=":material/download:",
                key=f"batch-{ending}",
                on_click="ignore",
            )


def _file(write: Callable[[pd.DataFrame], bytes], rows: pd.DataFrame) -> bytes:
    return write(table.exported(rows))


def _show_problems(rows: pd.DataFrame) -> None:
    refused = rows[rows["problem"] != ""]
    if refused.empty:
        return
    title = ngettext(
        "{count:,} file could not be read",
        "{count:,} files could not be read",
        len(refused),
    )
    with st.expander(title, icon=":material/broken_image:"):
        show_table(
            pd.DataFrame(
                {
                    _("File"): refused["path"],
                    _("Why"): [translate(text) for text in refused["problem"]],
                }
            ),
            hide_index=True,
            alt=title,
        )
