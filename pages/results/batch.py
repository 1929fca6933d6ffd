"""Batch prediction: many images through a model; with ?batch=ID one batch, live."""

from __future__ import annotations

import streamlit as st

from medmodel.batch.jobs import batch_store
from medmodel.core.errors import RunError
from medmodel.language import _
from pages._shared.batch.batch_form import show_form
from pages._shared.batch.batch_list import show_batches
from pages._shared.batch.batch_view import show_batch
from pages._shared.common import widgets
from pages._shared.common.trash_view import show_trash, show_undo
from pages._shared.common.widgets import errors_shown

batch_id = st.query_params.get("batch", "")
purpose = _("A whole folder, a ZIP file or a table of images through a model.")
if not batch_id:
    choice = widgets.page_header_beside(_("Batch prediction"), purpose)
    show_undo("batch")
    with errors_shown():
        show_form(choice)
    show_batches()
    show_trash("batch")
else:
    try:
        batch = batch_store().get(batch_id)
    except RunError:
        widgets.page_header(_("Batch prediction"), purpose)
        st.error(
            _("There is no such batch: it may have been deleted."),
            icon=":material/link_off:",
        )
        st.page_link(
            widgets.BATCH, label=_("All batches"), icon=":material/arrow_back:"
        )
    else:
        with errors_shown():
            show_batch(batch)
