"""Reader studies of a model: a new one, those to go on with, those that are done."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from medmodel.evaluation.clinical import reader_study
from medmodel.evaluation.clinical.reader_study import ReaderStudy
from medmodel.language import _, format_date
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.reading.room_results_view import show_reading_room

STUDY = "study"
"""Names the study in the page's address."""
SIZES = (10, 20, 50, 100)


def show_studies(run: Run, missing: bool = False) -> None:
    """What a reader study is, a button that begins one, and those there are.

    Args:
        run: Whose test images are read.
        missing: Whether these cannot be shown: then none begins.
    """
    images = len(run_cache.split(run).truth)
    with st.container(border=True):
        st.markdown(
            _(
                "Test images in random order, as many of each class as can be had. For "
                "each you say class and confidence **before** you see what the model "
                "says; that reading is committed. Then you may change it. At the end: "
                "sensitivity, specificity, AUC and accuracy of you alone, of the model "
                "and of you with the model, with intervals and paired tests."
            ),
            help=meaning("reader study", "sensitivity (recall)", "specificity", "AUC"),
        )
        sizes = [size for size in SIZES if size < images] + [min(images, 1000)]
        size = one_of(
            _("Images"),
            sizes,
            default=sizes[min(1, len(sizes) - 1)],
            required=True,
            format_func=legible(),
        )
        icon = ":material/visibility:"
        if st.button(_("Begin"), type="primary", icon=icon, disabled=missing):
            study = reader_study.begin_study(run, size)
            st.query_params[STUDY] = study.id
            st.rerun()
        st.caption(
            _(
                "No name is asked for. Readings are kept in the run's folder, and can "
                "be gone on with at any time."
            )
        )
    show_reading_room(run)
    for study in reader_study.studies(run):
        _show_study(run, study)


def _show_study(run: Run, study: ReaderStudy) -> None:
    done, images = len(study.complete), len(study.paths)
    begun = format_date(datetime.fromtimestamp(study.created))
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            _(
                "**{done} of {images} images read** · begun {date}",
                done=done,
                images=images,
                date=begun,
            ),
            width="stretch",
        )
        label = _("Results") if study.finished else _("Go on")
        if st.button(label, key=f"open-{study.id}"):
            st.query_params[STUDY] = study.id
            st.rerun()
        with st.popover(_("Delete this study"), icon=":material/delete:"):
            st.markdown(
                _("Its {count} readings are gone then.", count=len(study.readings))
            )
            if st.button(_("Delete"), type="primary", key=f"delete-{study.id}"):
                reader_study.delete_study(run, study)
                st.rerun()


def leave_study() -> None:
    """Forgets which study the page shows; the study stays."""
    st.query_params.pop(STUDY, None)
