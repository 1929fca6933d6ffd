"""Deleted runs and data sets, which can be restored for seven days."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from medmodel.core import audit
from medmodel.data.dataset_trash import trashed_dataset
from medmodel.language import _, ngettext
from medmodel.runs import queue, trash
from medmodel.runs.trash import Discarded
from pages._shared.common import widgets
from pages._shared.common.thumbnails import folder_problem
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import ago, bytes_text, plain

JUST_NOW = 60.0
"""Seconds for which a deletion is offered for undoing above the list."""


def show_undo(*kinds: str) -> None:
    """Undo for what was deleted within the last minute, by whomever.

    Args:
        *kinds: As in `Discarded`.
    """
    items = [item for item in _items(kinds) if _recent(item)]
    if not items:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(items) == 1:
            text = _("**{title}** is in the trash.", title=_title(items[0]))
        else:
            text = _("{items} are in the trash.", items=len(items))
        st.markdown(f":material/delete: {text}")
        if st.button(_("Undo"), icon=":material/undo:", key=f"undo-{kinds[0]}"):
            with errors_shown():
                for item in items:
                    restore(item)
                st.rerun()


def show_trash(*kinds: str) -> None:
    """What can be restored, with its days left, and a way to be rid of it now.

    Args:
        *kinds: As in `Discarded`.
    """
    items = _items(kinds)
    if not items:
        return
    with st.expander(
        _("Trash ({items:,})", items=len(items)), icon=":material/delete:"
    ):
        st.caption(
            _(
                "Removed for good 7 days after deletion; until then it takes {size} "
                "of the disk.",
                size=bytes_text(sum(max(item.size, 0) for item in items)),
            )
        )
        for number, item in enumerate(items, 1):
            _show_item(number, item)
        if st.button(_("Empty the trash"), icon=":material/delete_forever:"):
            st.dialog(_("Empty the trash?"))(ask_to_empty)(items)


def ask_to_empty(items: Sequence[Discarded]) -> None:
    """What would be removed for good, and the button that does it."""
    st.write(
        ngettext(
            "{count:,} item is removed for good: it cannot be restored any more.",
            "{count:,} items are removed for good: they cannot be restored any more.",
            len(items),
        )
    )
    with st.container(horizontal=True):
        if st.button(_("Remove for good"), type="primary"):
            with st.spinner(_("Removing")):
                for item in items:
                    trash.remove(widgets.store().root, item.id)
            audit.record("empty_trash", items=len(items))
            st.rerun()
        if st.button(_("Cancel")):
            st.rerun()


def show_trashed_dataset(dataset: str) -> bool:
    """Says that the data set of a run or a link is in the trash; whether it is.

    Args:
        dataset: Its folder, as in the settings of a run.
    """
    item = trashed_dataset(dataset, widgets.store())
    if item is None:
        return False
    text = _(
        "The data set **{name}** is in the trash: its images are not shown, and "
        "nothing can be trained on it. Days left: {days}.",
        name=plain(item.title),
        days=item.days_left,
    )
    _offer_to_restore(item, text, _("Restore the data set"))
    return True


def show_missing_dataset(dataset: str) -> bool:
    """Says why a data set's images cannot be shown; whether that is so.

    Args:
        dataset: Its folder, as in the settings of a run.
    """
    if show_trashed_dataset(dataset):
        return True
    problem = folder_problem(dataset)
    if problem:
        st.warning(plain(problem), icon=":material/folder_off:")
    return bool(problem)


def show_trashed_run(run_id: str) -> bool:
    """Says that the run of a link is in the trash; whether it is."""
    place = f"runs/{run_id}"
    item = next((item for item in _items(["run"]) if item.place == place), None)
    if item is None:
        return False
    text = _(
        "The run **{name}** is in the trash. Days left: {days}.",
        name=plain(item.title),
        days=item.days_left,
    )
    _offer_to_restore(item, text, _("Restore the run"))
    return True


def _offer_to_restore(item: Discarded, text: str, label: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/delete: {text}", width="stretch")
        if st.button(label, icon=":material/undo:"):
            with errors_shown():
                restore(item)
                st.rerun()


def restore(item: Discarded) -> None:
    """Moves it back.

    Raises:
        DataError: It is not in the trash any more, or something else lies there now.
    """
    store = widgets.store()
    trash.restore(store.root, item.id)
    audit.record("restore", what=item.kind)
    # A run that waited waits again.
    queue.notify_queue(store)


def _show_item(number: int, item: Discarded) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"{number}\\. {_title(item)} :gray[{_facts(item)}]",
            width="stretch",
        )
        title = _("Restore {number}", number=number)
        if st.button(title, icon=":material/undo:", key=f"restore-{item.id}"):
            with errors_shown():
                restore(item)
                st.rerun()


def _title(item: Discarded) -> str:
    if item.kind == "prepared":
        return _("Decoded pixels of {name}", name=plain(item.title))
    return plain(item.title)


def _facts(item: Discarded) -> str:
    when, days = ago(item.deleted), item.days_left
    if item.size < 0:
        return _("deleted {when}, days left: {days}", when=when, days=days)
    return _(
        "deleted {when}, days left: {days}, {size} of the disk",
        when=when,
        days=days,
        size=bytes_text(item.size),
    )


def _items(kinds: Sequence[str]) -> list[Discarded]:
    items = trash.discarded(widgets.store().root)
    return [item for item in items if item.kind in kinds]


def _recent(item: Discarded) -> bool:
    return time.time() - item.deleted < JUST_NOW
