"""Which images are to go through which model."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.batch import jobs
from medmodel.batch.images import tables_of
from medmodel.core.environment import data_roots
from medmodel.core.errors import os_reason
from medmodel.data import folders
from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.glossary import meaning
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.words import plain
from pages._shared.data.import_view import show_import

_FOLDER, _IMPORTED = "batch-folder", "batch-folder-imported"


def show_form(choice: DeltaGenerator) -> None:
    """Model, folder, table and the button that starts.

    Args:
        choice: Where the model is chosen.
    """
    with choice:
        model = pick_model("batch", widest=58, segmentations=True, multi_label=True)
    if model is None:
        if not any_model(segmentations=True, multi_label=True):
            widgets.empty_state(
                _("No model yet. When one is trained, it can be asked about a folder."),
                widgets.TRAIN,
                _("Train a model"),
            )
        return
    with st.container(border=True):
        folder = _ask_folder()
        if folder is not None:
            _ask_images(model, folder)
    show_import(
        _open_folder,
        _(
            "A ZIP file or a folder of images, with or without a table of their names "
            "(CSV with a column file). It is copied to this server and listed among "
            "the data sets; remove what may not leave your computer before."
        ),
    )


def _open_folder(folder: Path) -> None:
    # The field of folders is drawn already: it takes its value in the next run.
    st.session_state[_IMPORTED] = str(folder)
    st.rerun()


def _ask_folder() -> Path | None:
    """The folder that is chosen or typed; None before."""
    offered = [
        str(folder) for root in data_roots() for folder in folders.subfolders(root)
    ]
    names = widgets.folder_names(offered)
    if imported := st.session_state.pop(_IMPORTED, ""):
        st.session_state[_FOLDER] = imported
    chosen = st.session_state.get(_FOLDER)
    if chosen and chosen not in offered:
        offered.append(chosen)
    text = st.selectbox(
        _("Folder on this server"),
        offered,
        index=None,
        format_func=lambda path: names.get(path, path),
        placeholder=_("Choose a folder, or type its path"),
        accept_new_options=True,
        key=_FOLDER,
    )
    return folders.safe_folder(text) if text else None


def _ask_images(model: Run, folder: Path) -> None:
    tables = _tables(str(folder))
    table = ""
    if tables:
        table = st.selectbox(
            _("Images"),
            ["", *tables],
            format_func=lambda path: (
                _("Those that {table} names", table=path) if path else _("All images")
            ),
            key=f"batch-table-{folder}",
        )
    st.caption(
        _(
            "Each file is one line of the result; of a file with several frames or "
            "slices the one that Diagnose takes. A file that cannot be read ends "
            "nothing: its line says why."
        ),
        help=meaning("batch prediction"),
    )
    if st.button(_("Start"), type="primary", icon=":material/play_circle:"):
        try:
            batch = jobs.submit(model, folder, table)
        except OSError as error:
            st.error(
                plain(
                    _(
                        "The model of {title} cannot be read: {reason}.",
                        title=model.title,
                        reason=os_reason(error),
                    )
                )
            )
        else:
            st.switch_page(widgets.BATCH, query_params={"batch": batch.id})


@st.cache_data(max_entries=16, ttl=60, show_spinner=False)
def _tables(folder: str) -> list[str]:
    return tables_of(Path(folder))
