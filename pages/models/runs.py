"""All runs; with ?run=ID one of them, live."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import RunError
from medmodel.language import _, translate
from medmodel.runs import run_index
from pages._shared.common import widgets
from pages._shared.common.lineage import show_lineage
from pages._shared.common.trash_view import show_trash, show_trashed_run, show_undo
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.runs import run_view
from pages._shared.runs.queue_view import show_queue
from pages._shared.runs.runs_table import open_run


def show_list() -> None:
    page_header(
        _("Runs"),
        _("Everything that was trained here, pinned runs first, then the newest."),
    )
    entries = run_index.entries(widgets.store())
    for sentence in run_index.unreadable(widgets.store()):
        st.warning(plain(translate(sentence)), icon=":material/folder_off:")
    show_undo("run")
    if not entries:
        show_trash("run")
        widgets.empty_state(
            _(
                "Each training will be a line here, with its state and how good it "
                "became."
            ),
            widgets.TRAIN,
            _("Train the first model"),
        )
        return
    with st.container(horizontal=True):
        st.page_link(widgets.TRAIN, label=_("Train another"), icon=":material/add:")
        label = _("Import a model")
        st.page_link(widgets.IMPORT, label=label, icon=":material/upload_file:")
    show_queue(entries)
    run = open_run(entries)
    show_trash("run")
    if run:
        st.query_params["run"] = run
        st.rerun()


@st.fragment(run_every=3)
def refreshing_list() -> None:
    show_list()


run_id = st.query_params.get("run", "")
if not run_id:
    store = widgets.store()
    active = any(e.status.state.active for e in run_index.entries(store))
    if active or run_index.active_batches(store):
        refreshing_list()
    else:
        show_list()
else:
    try:
        chosen = widgets.store().get(run_id)
    except RunError as error:
        page_header(_("Runs"), _("The run that was asked for is not here."))
        if not show_trashed_run(run_id):
            st.error(plain(translate(str(error))), icon=":material/error:")
        st.page_link(widgets.RUNS, label=_("All runs"), icon=":material/arrow_back:")
    else:
        with errors_shown():
            run_view.show(chosen)
            show_lineage(chosen, widgets.RUNS)
