"""What people noted on one run: shown, and changed."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import FileError
from medmodel.language import _, translate
from medmodel.runs import run_index
from medmodel.runs.notes import (
    LONGEST_NOTE,
    LONGEST_TAG,
    MOST_TAGS,
    Notes,
    change_notes,
    notes_of,
)
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain


def show_notes(run: Run) -> None:
    """The run's tags and note in one line, and behind a button what changes them."""
    try:
        notes = notes_of(run)
    except FileError as error:
        st.warning(
            _(
                "The notes cannot be shown. {reason} The next change of the notes "
                "keeps this file as notes.json.damaged.",
                reason=plain(translate(str(error))),
            ),
            icon=":material/folder_off:",
        )
        notes = Notes()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for tag in notes.tags:
            st.badge(plain(tag), color="gray")
        if notes.note:
            st.markdown(plain(notes.note))
        title = (
            _("Tags and note") if notes.tags or notes.note else _("Add tags or a note")
        )
        with st.popover(title, icon=":material/edit_note:", type="tertiary"):
            _fields(run, notes)


def pin_button(run: Run) -> None:
    """Keeps a run above the others, or no longer."""
    try:
        pinned = notes_of(run).pinned
    except FileError:  # `show_notes` says so
        return
    if st.button(
        _("Unpin") if pinned else _("Pin"),
        icon=":material/keep_off:" if pinned else ":material/keep:",
        help=_("A pinned run stands above the others."),
    ):
        with errors_shown():
            change_notes(run, pinned=not pinned)
            st.rerun()


def _fields(run: Run, notes: Notes) -> None:
    tags_in_use = {t for e in run_index.entries(widgets.store()) for t in e.notes.tags}
    tags = st.multiselect(
        _("Tags"),
        sorted(tags_in_use | set(notes.tags)),
        default=notes.tags,
        accept_new_options=True,
        max_selections=MOST_TAGS,
        placeholder=_("Choose one or type a new one"),
        help=_(
            "At most {tags}, each of at most {characters} characters.",
            tags=MOST_TAGS,
            characters=LONGEST_TAG,
        ),
        key=f"tags-{run.id}",
    )
    note = st.text_area(
        _("Note"), notes.note, max_chars=LONGEST_NOTE, key=f"note-{run.id}"
    )
    st.caption(_("Everybody who sees the runs can read this: no patients' names."))
    if st.button(_("Keep"), type="primary", key=f"keep-{run.id}"):
        with errors_shown():
            change_notes(run, tags=tags, note=note)
            st.rerun()
