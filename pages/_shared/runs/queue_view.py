"""The queue of runs and batches: order, expected start, memory; move and cancel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from medmodel.batch.jobs import batch_request
from medmodel.cluster.records import places_of_cluster, sent_run
from medmodel.core.devices import Device
from medmodel.core.errors import DataError, RunError
from medmodel.core.regular_files import open_data_file
from medmodel.data.layout import list_files
from medmodel.data.layouts.listing import list_folder
from medmodel.language import _, translate
from medmodel.reports.plots import shortened
from medmodel.runs import queue, run_index
from medmodel.runs.queue_plan import WaitingRun, queue_plan
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.status import Status
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import duration, plain, rounded

_SHOWN = 20
_LETTERS = 34
"""Of a title beside the buttons, whose link would be cut without a sign."""


def show_queue(entries: Sequence[Entry]) -> None:
    """Nothing where neither a run nor a batch waits.

    Args:
        entries: All runs.
    """
    plan = _plan(entries)
    if not plan:
        return
    st.subheader(_("Queue"), anchor=False)
    on_cluster = places_of_cluster(widgets.store()) > 0
    for place, waiting in enumerate(plan[:_SHOWN]):
        # Order is the cluster's own matter once a run was handed in.
        sent = on_cluster and not sent_run(waiting.entry.run).over
        _show_waiting(waiting, place, len(plan), movable=not sent)
    if len(plan) > _SHOWN:
        st.caption(_("{count:,} more wait behind these.", count=len(plan) - _SHOWN))


def place_sentence(run: Run) -> str:
    """Place in the queue of a run or batch, and when it is expected to start.

    "" where it does not wait.
    """
    plan = _plan(run_index.entries(widgets.store()))
    for place, waiting in enumerate(plan, 1):
        if waiting.entry.run.id == run.id:
            return _(
                "Place {place} of {count} in the queue. {when}",
                place=place,
                count=len(plan),
                when=_when(waiting),
            )
    return ""


def _plan(entries: Sequence[Entry]) -> list[WaitingRun]:
    store = widgets.store()
    everything = [*entries, *run_index.active_batches(store)]
    return queue_plan(store, everything, _images, places_of_cluster(store))


def _images(entry: Entry) -> int:
    """How many images it is about; of a batch that began, those without an answer."""
    status, folder = entry.status, entry.config.dataset
    if not entry.run.is_batch:
        return _count(folder)
    if status.total:
        return status.total - status.done
    try:
        return _count_files(folder, batch_request(entry.run).table)
    except RunError:  # its page says what is wrong
        return 0


@st.cache_data(max_entries=64, ttl=600, show_spinner=False)
def _count(folder: str) -> int:
    try:
        return len(list_files(Path(folder))[0])
    except DataError:
        return 0


@st.cache_data(max_entries=64, ttl=600, show_spinner=False)
def _count_files(folder: str, table: str) -> int:
    """Files of a folder; of a batch with a table no more than its lines."""
    try:
        files = len(list_folder(Path(folder)).paths)
        if not table:
            return files
        with open_data_file(Path(folder), table) as lines:
            return min(files, sum(1 for _line in lines))
    except (DataError, OSError):  # the batch will say what is wrong
        return 0


def _show_waiting(waiting: WaitingRun, place: int, count: int, movable: bool) -> None:
    run = waiting.entry.run
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap=None):
            kind = "batch" if run.is_batch else "run"
            title = plain(shortened(waiting.entry.title, _LETTERS))
            st.page_link(
                widgets.BATCH if run.is_batch else widgets.RUNS,
                label=f"{place + 1} · {title}",
                query_params={kind: run.id},
            )
            memory = memory_sentence(waiting.needed, waiting.total, waiting.device)
            st.caption(plain(f"{_when(waiting)} {memory}"))
        steps = {
            _("To the front"): (None, ":material/vertical_align_top:", place > 0),
            _("Up"): (-1, ":material/arrow_upward:", place > 0),
            _("Down"): (1, ":material/arrow_downward:", place < count - 1),
        }
        for label, (places, icon, possible) in steps.items():
            if movable and st.button(
                label, icon=icon, key=f"{label}-{run.id}", disabled=not possible
            ):
                with errors_shown():
                    queue.move(run, places)
                    st.rerun()
        if st.button(_("Cancel"), icon=":material/close:", key=f"cancel-{run.id}"):
            with errors_shown():
                queue.stop(run)
                st.rerun()


def _when(waiting: WaitingRun) -> str:
    said = waiting.entry.status.message
    if said != Status.message:  # why a cluster has not begun
        return translate(said)
    if waiting.seconds is None:
        return _("When it starts is not known yet.")
    if waiting.seconds < 1:
        return _("Starts as soon as a worker is ready.")
    time = duration(rounded(waiting.seconds))
    return _("Expected to start in about {time}.", time=time)


def memory_sentence(needed: int, total: int, device: Device) -> str:
    """What a run takes of its device's memory.

    Args:
        needed: Bytes, roughly.
        total: Bytes that the device has; 0 where nobody tells.
        device: The device.
    """
    if not total:
        return _("Needs about {needed:.1f} GB of memory.", needed=needed / 1e9)
    values = {"needed": needed / 1e9, "total": total / 1e9}
    title = translate(device.title)
    if needed > total:
        return _(
            "Needs about {needed:.1f} GB of memory, more than the {total:.0f} GB of "
            "{device}: choose a smaller batch or input size.",
            device=title,
            **values,
        )
    return _(
        "Needs about {needed:.1f} GB of the {total:.0f} GB of {device}.",
        device=title,
        **values,
    )
