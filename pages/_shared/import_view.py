"""Bringing a data set in from the visitor's own computer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel import audit, importing
from medmodel.config import Progress
from medmodel.errors import DataError
from pages._shared.widgets import errors_shown
from pages._shared.words import plain

MOST_MB = 4000
"""Of one upload, which passes through the server's memory."""


def show_import(opened: Callable[[Path], None]) -> None:
    """A ZIP file or a whole folder becomes a data set of this server.

    Args:
        opened: Goes to the new data set.
    """
    with st.expander("Import from your computer", icon=":material/upload:"):
        st.markdown(
            "A ZIP file or a folder with one folder per class, or with a table "
            "(CSV: file, label, if known patient and split) beside the images. It is "
            "copied to this server; remove what may not leave your computer before."
        )
        kind = st.segmented_control(
            "What", ["ZIP file", "Folder"], default="ZIP file", required=True
        )
        files = _dropped(kind)
        if not files:
            return
        name = st.text_input("Name of the data set", _guess(files), max_chars=80)
        if st.button("Import", type="primary", icon=":material/upload:"):
            with errors_shown():
                found = _import(files, name, _progress())
                audit.record("import", files=found.files, skipped=len(found.skipped))
                opened(found.folder)


def _dropped(kind: str) -> list[UploadedFile]:
    if kind == "ZIP file":
        file = st.file_uploader(
            "ZIP file", type="zip", key="import-zip", max_upload_size=MOST_MB
        )
        return [file] if file else []
    return st.file_uploader(
        "Folder",
        accept_multiple_files="directory",
        key="import-folder",
        max_upload_size=MOST_MB,
    )


def _guess(files: Sequence[UploadedFile]) -> str:
    first = PurePosixPath(files[0].name.replace("\\", "/"))
    return importing.plain_name(first.parts[0].removesuffix(".zip"))


def _import(
    files: Sequence[UploadedFile], name: str, progress: Progress
) -> importing.Imported:
    """Imports, with a full disk told in one sentence."""
    try:
        if files[0].name.lower().endswith(".zip") and len(files) == 1:
            return importing.import_zip(files[0], name, progress)
        named = ((file.name, file) for file in files)
        return importing.import_files(named, name, len(files), progress)
    except OSError as error:
        raise DataError(f"It cannot be kept here: {error.strerror}.") from error


def _progress() -> Progress:
    bar = st.progress(0.0, "Importing")

    def told(phase: str, done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            share = done / total if total else 0.0
            bar.progress(
                min(share, 1.0), plain(f"Importing file {done:,} of {total:,}")
            )

    return told
