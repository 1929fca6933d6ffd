"""All batches of the workspace, the newest first."""

from __future__ import annotations

import streamlit as st

from medmodel.batch.jobs import batch_store, model_of
from medmodel.core.errors import RunError
from medmodel.language import _, translate
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from pages._shared.common import widgets
from pages._shared.common.words import STATE_TITLES, ago, plain

_LISTED = 20


def show_batches() -> None:
    """A line for each, with what it is about, its state and the way to it."""
    batches = batch_store().list()
    if not batches:
        st.caption(_("No batch yet."))
        return
    active = any(_is_active(batch) for batch in batches[:_LISTED])
    st.fragment(_show_all, run_every=2 if active else None)()


def _is_active(batch: Run) -> bool:
    try:
        return batch.status.state.active
    except RunError:
        return False


def _show_all() -> None:
    st.subheader(_("Batches"), anchor=False)
    batches = batch_store().list()
    for number, batch in enumerate(batches[:_LISTED], 1):
        with st.container(border=True):
            try:
                _show_one(number, batch)
            except RunError as error:
                st.error(plain(translate(str(error))), icon=":material/error:")
    if len(batches) > _LISTED:
        st.caption(
            _(
                "The latest {shown} of {batches:,} batches are listed.",
                shown=_LISTED,
                batches=len(batches),
            )
        )


def _show_one(number: int, batch: Run) -> None:
    status, model = batch.status, model_of(batch)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{plain(widgets.folder_name(batch.config.dataset))}** "
            f":gray[{plain(state_sentence(status))} "
            f"{plain(model.title if model else _('The model was deleted.'))}]",
            width="stretch",
        )
        # Buttons of one name cannot be told apart by ear.
        if st.button(
            _("Open {number}", number=number),
            icon=":material/arrow_forward:",
            key=f"open-{batch.id}",
        ):
            st.switch_page(widgets.BATCH, query_params={"batch": batch.id})


def state_title(status: Status) -> str:
    """The state in a word: a batch is not trained."""
    if status.state is RunStatus.RUNNING:
        return _("At work")
    return _(STATE_TITLES[status.state])


def state_sentence(status: Status) -> str:
    """State, progress and age in words."""
    state, when = state_title(status), ago(status.created)
    if status.state is RunStatus.RUNNING and status.total:
        return _(
            "{state}: {done:,} of {total:,}, submitted {when}.",
            state=state,
            done=status.done,
            total=status.total,
            when=when,
        )
    return _("{state}, submitted {when}.", state=state, when=when)
