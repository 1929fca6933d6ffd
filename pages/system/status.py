"""Is everything well? Devices, versions, space, processes."""

from __future__ import annotations

import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import streamlit as st

import medmodel
from medmodel.batch.jobs import batch_store
from medmodel.cluster.records import cluster_state, places
from medmodel.core import devices
from medmodel.core.environment import data_roots, ray_address
from medmodel.core.errors import FileError, value_or_problem
from medmodel.core.storage import LITTLE_SPACE, read_bytes
from medmodel.language import _, ngettext, translate
from medmodel.runs import queue, run_index, trash
from medmodel.runs.folder_size import folder_size
from medmodel.runs.status import RunStatus
from medmodel.runs.webhook import webhook_said
from pages._shared.common import widgets
from pages._shared.common.widgets import page_header
from pages._shared.common.words import bytes_text, plain

PACKAGES = ("streamlit", "tensorflow", "keras", "numpy", "pandas", "plotly", "pillow")
MOST_LOG_BYTES = 16 << 20
# What TensorFlow writes while it starts well: lines of absl's levels I and W, with what
# they continue in.
_NOTICE = re.compile(
    r"[IW]\d{4} |\d{4}-\d\d-\d\d \S+: [IW] |"
    r"WARNING: All log messages before absl|To enable the following instructions"
)


def installed(package: str) -> str:
    """Version of a package, found without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return _("not installed")


def facts(rows: dict[str, str]) -> None:
    """Names and values; a list, which folds on a phone and needs no script to come."""
    lines = (f"* {name}: **{plain(value)}**" for name, value in rows.items())
    st.markdown("\n".join(lines))


@st.fragment(run_every=2)
def processes() -> None:
    store = widgets.store()
    states = [entry.status.state for entry in run_index.entries(store)]
    training = states.count(RunStatus.RUNNING)
    waiting = states.count(RunStatus.QUEUED)
    predicting, delayed = batch_counts()
    ready = queue.idle_worker_ready(store)
    shown = st.columns(3)
    shown[0].metric(_("Runs in training"), training, border=True, height=widgets.TILE)
    shown[1].metric(_("Runs waiting"), waiting, border=True, height=widgets.TILE)
    shown[2].metric(
        _("Next worker"),
        _("ready") if ready else _("busy") if training + predicting else _("starting"),
        help=_("The process that sends runs to the cluster.")
        if ray_address()
        else _("A process with TensorFlow loaded: training need not wait for it."),
        border=True,
        height=widgets.TILE,
    )
    if predicting or delayed:
        st.caption(
            _(
                "Batch predictions share the queue: {predicting} at work, {waiting} "
                "waiting.",
                predicting=predicting,
                waiting=delayed,
            )
        )
    try:
        said = last_words(store.root / "idle.log")
    except FileError as error:
        st.warning(plain(translate(str(error))), icon=":material/error:")
        said = ""
    if said and not ready and not training and not predicting:
        st.warning(
            _(
                "The training process does not start. Its last message: {message}",
                message=plain(translate(said)),
            ),
            icon=":material/error:",
        )


def cluster_facts() -> dict[str, str]:
    """What trains the runs, where that is a cluster; as of the last look at it."""
    state = cluster_state(widgets.store())
    if state is None:
        return {}
    if state.problem:
        said = translate(state.problem)
    elif not state.looked:
        said = _("not asked yet")
    elif not any(node.cpus for node in state.nodes):
        said = _("no node that could train")
    else:
        said = ngettext(
            "{count:,} node, {places:,} at once: {names}",
            "{count:,} nodes, {places:,} at once: {names}",
            len(state.nodes),
            places=places(state.nodes),
            names=", ".join(node.name for node in state.nodes),
        )
    return {_("Cluster (MEDMODEL_RAY)"): said}


def batch_counts() -> tuple[int, int]:
    """How many batch predictions are at work, and how many wait."""
    states = []
    for batch in batch_store().list():
        # The page of batches shows what is wrong with one that cannot be read.
        status, _problem = value_or_problem(lambda run: run.status, batch)
        if status is not None:
            states.append(status.state)
    return states.count(RunStatus.RUNNING), states.count(RunStatus.QUEUED)


def last_words(log: Path) -> str:
    """The last line of a short log that is no notice; empty where there is none."""
    content = read_bytes(log, MOST_LOG_BYTES, log.parent) or b""
    lines = content.decode("utf-8", "replace").strip().splitlines()
    lines = [line for line in lines if not _NOTICE.match(line)]
    return lines[-1][:300] if lines else ""


def main() -> None:
    page_header(
        _("Status"), _("Devices, processes, disk space and versions of this server.")
    )
    processes()
    store = widgets.store()
    store.root.mkdir(parents=True, exist_ok=True)
    space = shutil.disk_usage(store.root)
    if space.free < LITTLE_SPACE:
        st.warning(
            _(
                "Low disk space: {free} free in the workspace. Delete runs and data "
                "sets that are no longer needed, and empty the trash.",
                free=bytes_text(space.free),
            ),
            icon=":material/hard_drive:",
        )
    st.subheader(_("This server"), anchor=False)
    told = webhook_said()
    facts(
        {
            _("Devices"): ", ".join(translate(d.title) for d in devices.available()),
            **cluster_facts(),
            **({_("Webhook (MEDMODEL_WEBHOOK)"): told} if told else {}),
            _("Free space"): _(
                "{free} of {total}",
                free=bytes_text(space.free),
                total=bytes_text(space.total),
            ),
            _("In the trash"): bytes_text(trash.trash_size(store.root)),
            _("Decoded pixels"): bytes_text(folder_size(store.root / "prepared")),
            _("Workspace (MEDMODEL_WORKSPACE)"): str(store.root),
            _("Data folders (MEDMODEL_DATA)"): ", ".join(map(str, data_roots())),
            _("Largest upload"): _(
                "{megabytes} MB per file",
                megabytes=st.get_option("server.maxUploadSize"),
            ),
            _("Runs in the workspace"): str(len(store.list())),
        }
    )
    st.subheader(_("Versions"), anchor=False)
    facts(
        {
            "MedModel": getattr(medmodel, "__version__", ""),
            "Python": platform.python_version(),
            **{package: installed(package) for package in PACKAGES},
        }
    )


main()
