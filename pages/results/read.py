"""Reader study: a person reads test images alone, then with the model."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import FileError, RunError
from medmodel.evaluation.clinical.reader_study import ReaderStudy, load_study
from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.reading.reading_view import show_progress, show_reading
from pages._shared.reading.study_choice import STUDY, leave_study, show_studies
from pages._shared.reading.study_results_view import show_results


def opened_study(run: Run) -> ReaderStudy | None:
    """The study that the address names; None without one, or where it is gone."""
    study_id = st.query_params.get(STUDY, "")
    if not study_id:
        return None
    try:
        return load_study(run, study_id)
    except (FileError, RunError) as error:
        st.warning(str(error))
        return None


def show(run: Run) -> None:
    study = opened_study(run)
    finished = study is not None and study.finished
    missing = not finished and show_missing_dataset(run.config.dataset)
    if study is None:
        show_studies(run, missing)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(_("All reader studies"), icon=":material/arrow_back:"):
            leave_study()
            st.rerun()
        show_progress(study)
    if study.finished:
        show_results(run, study)
    elif not missing:
        show_reading(run, study)


choice = widgets.page_header_beside(
    _("Reader study"), _("Read images alone, then with the model, and compare.")
)
with errors_shown():
    with choice:
        chosen = pick_model("read")
    if chosen is not None:
        show(chosen)
    elif not any_model():
        widgets.empty_state(
            _(
                "No model yet. When a run has ended, its test images can be read here "
                "by a person, alone and with the model."
            ),
            widgets.TRAIN,
            _("Train a model"),
        )
