"""Deleting a data set of the workspace, or the pixels that were decoded of one."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.data import dataset_trash
from medmodel.data.prepared import prepared_folders
from medmodel.language import _, ngettext
from medmodel.runs.folder_size import folder_size
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import bytes_text, plain


def delete_button(folder: Path) -> None:
    """Asks before a data set, or what was decoded of it, goes to the trash."""
    if st.button(
        _("Delete"),
        icon=":material/delete:",
        help=_("Moves the data set or its decoded pixels to the trash for 7 days."),
    ):
        st.dialog(_("Move to the trash?"))(ask_to_delete)(folder)


def ask_to_delete(folder: Path) -> None:
    """What would go to the trash, and the buttons that send it there."""
    store = widgets.store()
    if dataset_trash.is_deletable(folder, store):
        _ask_for_dataset(folder)
    else:
        st.markdown(
            _(
                "{folder} does not lie in the workspace: nothing in it is ever "
                "deleted from here.",
                folder=plain(folder),
            )
        )
    _ask_for_pixels(folder)
    if st.button(_("Keep it")):
        st.rerun()


def _ask_for_dataset(folder: Path) -> None:
    store = widgets.store()
    st.markdown(
        _(
            "**{name}**, {size}: its images themselves go to the trash and are removed "
            "for good after 7 days, with the checks and the decisions about it and its "
            "decoded pixels.",
            name=plain(folder.name),
            size=bytes_text(folder_size(folder)),
        )
    )
    if runs := len(dataset_trash.dataset_use(folder, store).ended):
        st.markdown(
            ngettext(
                "{count:,} run uses it. Its model and results stay; the images are "
                "not shown any more.",
                "{count:,} runs use it. Their models and results stay; the images are "
                "not shown any more.",
                runs,
            )
        )
    if st.button(_("Move the data set to the trash"), type="primary"):
        with errors_shown():
            with st.spinner(_("Moving")):
                dataset_trash.delete_dataset(folder, store)
            st.query_params.clear()
            st.rerun()


def _ask_for_pixels(folder: Path) -> None:
    places = prepared_folders(folder)
    if not places:
        return
    size = bytes_text(sum(map(folder_size, places)))
    st.markdown(
        _(
            "Decoded pixels take {size}. The next training decodes the images again.",
            size=size,
        )
    )
    if st.button(_("Move only the decoded pixels")):
        with errors_shown():
            dataset_trash.delete_prepared(folder, widgets.store())
            st.rerun()
