"""Public data sets by name: licence first, then a download that somebody asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import DataError, os_reason
from medmodel.core.processes.background import TaskState
from medmodel.data import fetching, medmnist
from medmodel.data.folders import safe_folder
from medmodel.data.medmnist import SETS, SIZES, PublicSet
from medmodel.language import _, translate
from pages._shared.common.legible import legible, one_of
from pages._shared.common.upload_field import forget_upload, upload_field
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import bytes_text, plain
from pages._shared.data.import_view import show_progress

Opened = Callable[[Path], None]


def show_public(opened: Opened) -> None:
    """MedMNIST by name, from its public address or from a file.

    Args:
        opened: Goes to the new data set.
    """
    with st.expander(_("Get a public data set"), icon=":material/public:"):
        st.markdown(
            _(
                "MedMNIST: small, ready-made sets with training, validation and "
                "test images, for teaching and trials. ChestMNIST is not offered: "
                "its images have several labels each."
            )
        )
        left, right = st.columns([3, 2])
        with left:
            key = st.selectbox(
                _("Set"), list(SETS), format_func=lambda name: _(SETS[name].title)
            )
        with right:
            size = one_of(
                _("Pixels"),
                SIZES,
                default=SIZES[0],
                format_func=legible(),
                required=True,
                key="public-size",
            )
        _describe(SETS[key], size)
        host = urlsplit(SETS[key].address(size)).hostname
        ways = {
            "download": _("Download from {host}", host=host),
            "bring": _("Bring the file"),
        }
        way = st.radio(
            _("How"),
            list(ways),
            format_func=ways.__getitem__,
            horizontal=True,
            key="public-way",
        )
        if way == "download":
            _download(key, size, opened)
        else:
            _bring(opened)


def _describe(dataset: PublicSet, size: int) -> None:
    train, val, test = dataset.counts
    most = bytes_text(dataset.most_bytes(size))
    st.markdown(
        _(
            "{description} {number} classes: {classes}.  \n{train:,} training, {val:,} "
            "validation and {test:,} test images of {size} × {size} pixels; at "
            "most {most}.  \n**Licence** {licence}.  \n**Cite** {citation}, and "
            "the data set it was made from.",
            description=plain(translate(dataset.shows)),
            number=len(dataset.classes),
            classes=plain(", ".join(dataset.classes)),
            train=train,
            val=val,
            test=test,
            size=size,
            most=most,
            licence=plain(translate(dataset.licence)),
            citation=plain(medmnist.CITATION),
        )
    )


def _download(key: str, size: int, opened: Opened) -> None:
    state = fetching.state_of(key, size)
    if state.running:
        _show_running(key, size)
        return
    if state.error:
        st.error(plain(translate(state.error)), icon=":material/error:")
    folder = _there(state.folder)
    if folder is not None:
        st.success(
            plain(
                _(
                    "{dataset} is here as {folder}.",
                    dataset=SETS[key].title,
                    folder=folder.name,
                )
            )
        )
        if st.button(_("Open it"), type="primary", icon=":material/folder_open:"):
            opened(folder)
        return
    if st.button(_("Download"), type="primary", icon=":material/download:"):
        audit.record("download", dataset=SETS[key].file(size))
        with errors_shown():
            fetching.start(key, size)
            st.rerun()


def _there(folder: str) -> Path | None:
    try:
        return safe_folder(folder) if folder else None
    except DataError:  # removed since
        return None


@st.fragment(run_every=0.5)
def _show_running(key: str, size: int) -> None:
    """How far it is; may be left."""
    state = fetching.state_of(key, size)
    if not state.running:
        st.rerun()
    share = min(state.done / state.total, 1.0) if state.total else 0.0
    rest = _("You may leave this page; it goes on.")
    st.progress(share, text=f"{_phase_sentence(state)} {rest}")


def _phase_sentence(state: TaskState) -> str:
    done, total = state.done, state.total
    if state.phase == "importing":
        return _("Writing image {done:,} of {total:,}.", done=done, total=total)
    if state.phase != "fetching":
        return _("Asking for the file.")
    if not total:
        return _("{done:,.1f} MB.", done=done / 1e6)
    return _("{done:,.1f} MB of {total:,.1f} MB.", done=done / 1e6, total=total / 1e6)


def _bring(opened: Opened) -> None:
    upload = upload_field("npz")
    if upload is None or not upload.files:
        return
    name, file = upload.files[0]
    if st.button(_("Import it"), type="primary", icon=":material/upload:"):
        with errors_shown():
            try:
                imported = medmnist.import_npz(file, name, show_progress())
            except OSError as error:
                reason = _("It cannot be kept here: {reason}.", reason=os_reason(error))
                raise DataError(reason) from error
            forget_upload("npz")
            audit.record("import", files=imported.files, skipped=len(imported.skipped))
            opened(imported.folder)
