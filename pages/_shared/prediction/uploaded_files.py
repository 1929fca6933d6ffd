"""Images of this session from files, clipboard and camera; they stay until removed."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel.language import _

SAMPLES = "sample-images"
"""Whether the session looks at images of the test split."""
FILES = "uploaded-images"
"""The field of Diagnose."""
_CAMERA = "camera-image"
_CAMERA_WIDTH = 420


def kept_files(field: str = FILES) -> list[UploadedFile]:
    """What `uploaded_files` will return, before the field is drawn."""
    return list(_kept(field).values())


def uploaded_files(label: str = "", field: str = FILES) -> list[UploadedFile]:
    """The files of this session, those of an earlier visit of the page among them.

    Streamlit forgets what a field holds when its page is left: only what its owner
    takes out of the field, or removes here, is forgotten.

    Args:
        label: Of the field; "" for that of Diagnose.
        field: Its name in the session: each has files of its own.
    """
    st.file_uploader(
        label or _("Images: drop, choose or paste one or many"),
        accept_multiple_files=True,
        key=field,
        on_change=_take_files,
        args=(field,),
    )
    inside = [file.file_id for file in st.session_state[field]]
    st.session_state[_in_field(field)] = inside
    earlier = [f for f in _kept(field) if f not in inside]
    if earlier:
        st.button(
            _("Remove images ({count})", count=len(earlier)),
            icon=":material/close:",
            on_click=_remove,
            args=(earlier, field),
            help=_("Images of an earlier visit of this page, or of the camera."),
            key=f"remove-{field}",
        )
    return kept_files(field)


def take_photo() -> None:
    """A button that opens the camera of the visitor's computer or phone."""
    with st.popover(_("Camera"), icon=":material/photo_camera:"):
        # Of a width at which its button stands on a projector's screen, too.
        st.camera_input(
            _("Take a photo"), key=_CAMERA, on_change=_take_photo, width=_CAMERA_WIDTH
        )


def _kept(field: str) -> dict[str, UploadedFile]:
    files: dict[str, UploadedFile] = st.session_state.setdefault(f"kept-{field}", {})
    return files


def _in_field(field: str) -> str:
    return f"in-{field}"


def _take_files(field: str) -> None:
    """Adds what is new in the field, and forgets what was taken out of it."""
    if field == FILES:
        st.session_state.pop(SAMPLES, None)
    files = {file.file_id: file for file in st.session_state[field]}
    before = st.session_state.get(_in_field(field), [])
    _remove([file for file in before if file not in files], field)
    _kept(field).update(files)


def _take_photo() -> None:
    st.session_state.pop(SAMPLES, None)
    if photo := st.session_state[_CAMERA]:
        _kept(FILES)[photo.file_id] = photo


def _remove(files: list[str], field: str) -> None:
    for file in files:
        _kept(field).pop(file, None)
