"""Public data sets by name: licence first, then a download that somebody asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import DataError
from medmodel.data import fetching, medmnist
from medmodel.data.folders import safe_folder
from medmodel.data.medmnist import SETS, SIZES, PublicSet
from pages._shared.common.upload_field import forget_upload, upload_field
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.data.import_view import show_progress

Opened = Callable[[Path], None]


def show_public(opened: Opened) -> None:
    """MedMNIST by name, from its public address or from a file.

    Args:
        opened: Goes to the new data set.
    """
    with st.expander("Get a public data set", icon=":material/public:"):
        st.markdown(
            "MedMNIST: small, ready-made sets with training, validation and test "
            "images, for teaching and trials. ChestMNIST is not offered: its images "
            "have several labels each."
        )
        left, right = st.columns([3, 2])
        with left:
            key = st.selectbox(
                "Set", list(SETS), format_func=lambda name: SETS[name].title
            )
        with right:
            size = st.segmented_control(
                "Pixels", SIZES, default=SIZES[0], required=True, key="public-size"
            )
        _describe(SETS[key], size)
        host = urlsplit(SETS[key].address(size)).hostname
        ways = [f"Download from {host}", "Bring the file"]
        if st.radio("How", ways, horizontal=True, key="public-way") == ways[0]:
            _download(key, size, opened)
        else:
            _bring(opened)


def _describe(dataset: PublicSet, size: int) -> None:
    train, val, test = dataset.counts
    megabytes = dataset.most_bytes(size) / 1e6
    most = f"{megabytes:,.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:,.1f} GB"
    st.markdown(
        f"{plain(dataset.shows)} {len(dataset.classes)} classes: "
        f"{plain(', '.join(dataset.classes))}.  \n"
        f"{train:,} training, {val:,} validation and {test:,} test images of "
        f"{size} × {size} pixels; at most {most}.  \n"
        f"**Licence** {plain(dataset.licence)}.  \n**Cite** "
        f"{plain(medmnist.CITATION)}, and the data set it was made from."
    )


def _download(key: str, size: int, opened: Opened) -> None:
    state = fetching.state_of(key, size)
    if state.running:
        _show_running(key, size)
        return
    if state.error:
        st.error(plain(state.error), icon=":material/error:")
    folder = _there(state.folder)
    if folder is not None:
        st.success(plain(f"{SETS[key].title} is here as {folder.name}."))
        if st.button("Open it", type="primary", icon=":material/folder_open:"):
            opened(folder)
        return
    if st.button("Download", type="primary", icon=":material/download:"):
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
    done, total = state.done, state.total
    words = "Asking for the file"
    if state.phase == "fetching":
        words = f"{done / 1e6:,.1f} MB"
        words += f" of {total / 1e6:,.1f} MB" if total else ""
    elif state.phase == "importing":
        words = f"Writing image {done:,} of {total:,}"
    share = min(done / total, 1.0) if total else 0.0
    st.progress(share, text=f"{words}. You may leave this page; it goes on.")


def _bring(opened: Opened) -> None:
    upload = upload_field("npz")
    if upload is None or not upload.files:
        return
    name, file = upload.files[0]
    if st.button("Import it", type="primary", icon=":material/upload:"):
        with errors_shown():
            try:
                imported = medmnist.import_npz(file, name, show_progress())
            except OSError as error:
                reason = f"It cannot be kept here: {error.strerror}."
                raise DataError(reason) from error
            forget_upload("npz")
            audit.record("import", files=imported.files, skipped=len(imported.skipped))
            opened(imported.folder)
