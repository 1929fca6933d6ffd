"""Deleted runs and data sets, which can be restored for seven days."""

from __future__ import annotations

import time

import streamlit as st

from medmodel.core import audit
from medmodel.language import _
from medmodel.runs import queue, trash
from medmodel.runs.trash import Discarded
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import ago, plain

JUST_NOW = 60.0
"""Seconds for which a deletion is offered for undoing above the list."""


def show_undo(kind: str) -> None:
    """Undo for what was deleted within the last minute, by whomever.

    Args:
        kind: `"run"` or `"data set"`.
    """
    items = [item for item in trash.discarded(widgets.store().root) if _recent(item)]
    items = [item for item in items if item.kind == kind]
    if not items:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        title = plain(items[0].title)
        if len(items) == 1:
            text = _("**{title}** is in the trash.", title=title)
        else:
            text = _("{items} are in the trash.", items=len(items))
        st.markdown(f":material/delete: {text}")
        if st.button(_("Undo"), icon=":material/undo:", key=f"undo-{kind}"):
            with errors_shown():
                for item in items:
                    _restore(item)
                st.rerun()


def show_trash(kind: str) -> None:
    """What can be restored, with its days left, and a way to be rid of it now.

    Args:
        kind: `"run"` or `"data set"`.
    """
    root = widgets.store().root
    items = [item for item in trash.discarded(root) if item.kind == kind]
    if not items:
        return
    with st.expander(
        _("Trash ({items:,})", items=len(items)), icon=":material/delete:"
    ):
        st.caption(_("Removed for good 7 days after deletion."))
        for item in items:
            _show_item(item)
        if st.button(_("Empty the trash"), icon=":material/delete_forever:"):
            for item in items:
                trash.remove(root, item.id)
            audit.record("empty_trash", items=len(items))
            st.rerun()


def _show_item(item: Discarded) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            _(
                "{title} :gray[deleted {when}, days left: {days}]",
                title=plain(item.title),
                when=ago(item.deleted),
                days=item.days_left,
            ),
            width="stretch",
        )
        if st.button(_("Restore"), icon=":material/undo:", key=f"restore-{item.id}"):
            with errors_shown():
                _restore(item)
                st.rerun()


def _restore(item: Discarded) -> None:
    store = widgets.store()
    trash.restore(store.root, item.id)
    audit.record("restore", what=item.kind)
    # A run that waited waits again.
    queue.notify_queue(store)


def _recent(item: Discarded) -> bool:
    return time.time() - item.deleted < JUST_NOW
