"""A field for large files that go straight to the server's disk."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.data import importing
from medmodel.language import N_, _, join_sentences, translate
from medmodel.server import uploads
from medmodel.server.uploads import Upload
from pages._shared.common.words import plain

Kind = Literal["zip", "folder", "npz", "model"]
_LABELS: dict[Kind, tuple[str, str]] = {
    "zip": (N_("ZIP file"), N_("Choose a ZIP file, or drop it here.")),
    "folder": (N_("Folder"), N_("Choose a folder; all of its files are sent.")),
    "model": (N_("Model file"), N_("Choose the model's file, or drop it here.")),
    "npz": (N_("MedMNIST file"), N_("Choose a file such as pneumoniamnist.npz.")),
}
_ACCEPTED = {"folder": "", "model": ".keras,.h5,.hdf5,.onnx,.zip"}
"""Endings of files that the browser offers, where it is not the kind itself."""


def upload_field(kind: Kind) -> Upload | None:
    """What arrived whole from the visitor's computer; None before."""
    key = f"upload-{kind}"
    ticket = st.session_state.get(key, "")
    if uploads.opened(ticket) is None:
        ticket = st.session_state[key] = uploads.begin()
    component = st.components.v2.component(
        "upload_field",
        html=asset_text("upload.html"),
        css=asset_text("upload.css"),
        js=asset_text("upload.js"),
    )
    answer = component(
        data={
            "url": f"/upload/{ticket}",
            "kind": kind,
            "texts": _texts(kind),
            "accept": _ACCEPTED.get(kind, f".{kind}"),
            "most": importing.MOST_FILES,
            "bytes": importing.room(),
        },
        key=f"field-{kind}",
        on_arrived_change=lambda: None,
        on_failed_change=lambda: None,
    )
    refused, arrived = f"refused-{kind}", f"arrived-{kind}"
    if answer.failed:
        forget_upload(kind)
        st.session_state[refused] = str(answer.failed)
        st.rerun()
    if refused in st.session_state:
        st.error(plain(translate(st.session_state[refused])))
    if answer.arrived:
        st.session_state[arrived] = ticket
        st.session_state.pop(refused, None)
        st.rerun()
    return uploads.opened(ticket) if st.session_state.get(arrived) == ticket else None


def _texts(kind: Kind) -> dict[str, str]:
    """What the field says; it puts values in place of names in braces."""
    label, what = _LABELS[kind]
    room = _("Room for {room:,.0f} GB.", room=importing.room() / 2**30)
    return {
        "label": _(label),
        "pick": _("Choose"),
        "help": join_sentences([_(what), room]),
        "progress": _("Upload"),
        "broken_off": _(
            "The upload broke off: is the server there, and its disk not full?"
        ),
        "refused": _("The server did not take it."),
        "too_many": _("These are more than {files} files."),
        "too_large": _(
            "This is {size}; there is room for {room}. Put the folder on the server's "
            "disk instead."
        ),
        "sent": _("{sent} of {size}, {arrived} of {files} files"),
        "file_arrived": _("{file}: all here, {size}."),
        "files_arrived": _("{files} files: all here, {size}."),
    }


def forget_upload(kind: Kind) -> None:
    """Removes what was sent; the field takes something else."""
    uploads.close(st.session_state.pop(f"upload-{kind}", ""))
    st.session_state.pop(f"arrived-{kind}", None)
