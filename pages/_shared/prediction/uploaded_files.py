"""Images of this session from files, clipboard and camera; they stay until removed."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel.language import _

SAMPLES = "sample-images"
"""Whether the session looks at images of the test split."""
FILES = "uploaded-images"
_CAMERA = "camera-image"
_KEPT = "kept-images"
_IN_FIELD = "images-in-field"


def uploaded_files() -> list[UploadedFile]:
    """The files of this session, those of an earlier visit of the page among them.

    Streamlit forgets what a field holds when its page is left: only what its owner
    takes out of the field, or removes here, is forgotten.
    """
    st.file_uploader(
        _("Images: drop, choose or paste one or many"),
        accept_multiple_files=True,
        key=FILES,
        on_change=_take_files,
    )
    st.session_state[_IN_FIELD] = [file.file_id for file in st.session_state[FILES]]
    earlier = [f for f in _kept() if f not in st.session_state[_IN_FIELD]]
    if earlier:
        st.button(
            _("Remove images ({count})", count=len(earlier)),
            icon=":material/close:",
            on_click=_remove,
            args=(earlier,),
            help=_("Images of an earlier visit of this page, or of the camera."),
        )
    return list(_kept().values())


def take_photo() -> None:
    """A button that opens the camera of the visitor's computer or phone."""
    with st.popover(_("Camera"), icon=":material/photo_camera:"):
        st.camera_input(_("Take a photo"), key=_CAMERA, on_change=_take_photo)


def _kept() -> dict[str, UploadedFile]:
    files: dict[str, UploadedFile] = st.session_state.setdefault(_KEPT, {})
    return files


def _take_files() -> None:
    """Adds what is new in the field, and forgets what was taken out of it."""
    st.session_state.pop(SAMPLES, None)
    files = {file.file_id: file for file in st.session_state[FILES]}
    _remove([i for i in st.session_state.get(_IN_FIELD, []) if i not in files])
    _kept().update(files)


def _take_photo() -> None:
    st.session_state.pop(SAMPLES, None)
    if photo := st.session_state[_CAMERA]:
        _kept()[photo.file_id] = photo


def _remove(files: list[str]) -> None:
    for file in files:
        _kept().pop(file, None)
