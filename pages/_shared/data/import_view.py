"""Bringing a data set in from the visitor's own computer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import DataError, os_reason
from medmodel.core.job import Job
from medmodel.data import importing
from medmodel.data.archives.zip_names import ENCODINGS
from medmodel.language import N_, _
from medmodel.server.uploads import Upload
from pages._shared.common.legible import legible, one_of
from pages._shared.common.upload_field import Kind, forget_upload, upload_field
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

_KINDS: dict[Kind, str] = {"zip": N_("ZIP file"), "folder": N_("Folder")}


def show_import(opened: Callable[[Path], None], what: str = "") -> None:
    """A ZIP file or a whole folder becomes a data set of this server.

    Args:
        opened: Goes to the new data set.
        what: What is to be in it, as Markdown; by default class folders or a table.
    """
    with st.expander(_("Import from your computer"), icon=":material/upload:"):
        st.markdown(
            what
            or _(
                "A ZIP file or a folder with one folder per class, or with a table "
                "(CSV: file, label, if known patient and split) beside the images. "
                "It is copied to this server; remove what may not leave your "
                "computer before."
            )
        )
        kinds: list[Kind] = list(_KINDS)
        kind = one_of(
            _("What"),
            kinds,
            default="zip",
            format_func=legible(lambda kind: _(_KINDS[kind])),
            required=True,
        )
        upload = upload_field(kind)
        if upload is None or not upload.files:
            return
        name = st.text_input(_("Name of the data set"), _guess(upload), max_chars=80)
        encoding = ask_encoding(upload.files[0][1]) if kind == "zip" else ""
        with st.container(horizontal=True):
            pressed = st.button(_("Import"), type="primary", icon=":material/upload:")
            if st.button(_("Choose something else"), icon=":material/undo:"):
                forget_upload(kind)
                st.rerun()
        if pressed:
            with errors_shown():
                imported = _import(upload, kind, name, encoding, show_progress())
                forget_upload(kind)
                audit.record(
                    "import", files=imported.files, skipped=len(imported.skipped)
                )
                opened(imported.folder)


@st.cache_data(max_entries=4, ttl=600, show_spinner=False)
def _encodings(path: str, size: int) -> dict[str, list[str]]:
    with Path(path).open("rb") as archive:
        return importing.name_encodings(archive)


def ask_encoding(archive: Path) -> str:
    """How to read names of which the archive does not say how; "" if it does."""
    encodings = _encodings(str(archive), archive.stat().st_size)
    if not encodings:
        return ""
    chosen = st.selectbox(
        _("Encoding of the names"),
        list(encodings),
        format_func=lambda encoding: _(ENCODINGS[encoding]),
        help=_(
            "The ZIP file does not say how its names are written. The first is "
            "a guess: choose another where the names below cannot be read."
        ),
    )
    names = plain(" · ".join(encodings[chosen]))
    st.markdown(_("**Names read so** {names}", names=names))
    return chosen


def show_progress() -> Job:
    """A bar that an import moves."""
    bar = st.progress(0.0, _("Importing"))

    def told(phase: str, done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            share = done / total if total else 0.0
            bar.progress(
                min(share, 1.0),
                plain(
                    _("Importing file {done:,} of {total:,}", done=done, total=total)
                ),
            )

    return Job(told)


def _guess(upload: Upload) -> str:
    first = PurePosixPath(upload.files[0][0].replace("\\", "/"))
    return importing.plain_name(first.parts[0].removesuffix(".zip"))


def _import(
    upload: Upload, kind: Kind, name: str, encoding: str, job: Job
) -> importing.Imported:
    """Imports, with a full disk told in one sentence."""
    try:
        if kind == "zip":
            with upload.files[0][1].open("rb") as archive:
                return importing.import_zip(archive, name, job, encoding)
        # Opened one after the other: there may be more than a process may have open.
        with ExitStack() as files:

            def each() -> Iterator[tuple[str, BinaryIO]]:
                for path, file in upload.files:
                    files.close()
                    yield path, files.enter_context(file.open("rb"))

            total = len(upload.files)
            return importing.import_files(each(), name, total, job)
    except OSError as error:
        raise DataError(
            _("It cannot be kept here: {reason}.", reason=os_reason(error))
        ) from error
