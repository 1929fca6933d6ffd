"""Numbers, figures and documents to take away."""

from __future__ import annotations

import streamlit as st

from medmodel.export.documents import documents
from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import pick_format
from pages._shared.common.downloads import csv_button, noted
from pages._shared.common.glossary import meaning
from pages._shared.evaluation.metrics_view import all_metrics
from pages._shared.evaluation.model_export_view import show_model_formats


def show_take_away(run: Run) -> None:
    """The report, the model card, the tables, and how figures are downloaded."""
    show_documents(run)
    show_model_formats(run)
    st.markdown(_("**Tables**"))
    with st.container(horizontal=True):
        csv_button(lambda: all_metrics(run), "all-metrics", run, _("All metrics"))
        table = run_cache.predictions(run)
        csv_button(table, "predictions", run, _("Every image's scores"))
    st.markdown(_("**Figures**"))
    pick_format()


def show_documents(run: Run) -> None:
    """Buttons for the evaluation as PDF and HTML, and for the model card."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True, height="stretch"):
        st.markdown(_("**Evaluation**"))
        st.caption(
            _(
                "One page of PDF with what must not be missed, or one HTML file "
                "with every class. Neither needs anything else, and no image and no "
                "patient's name is in them."
            )
            if run.config.segments
            else _(
                "One page of PDF with what must not be missed, or one HTML file "
                "with every number and every curve. Neither needs anything else, "
                "and no image and no patient's name is in them."
            )
        )
        with st.container(horizontal=True):
            _document(run, "evaluation", "pdf", _("One page (PDF)"))
            _document(run, "evaluation", "html", _("Everything (HTML)"))
    with right, st.container(border=True, height="stretch"):
        st.markdown(_("**Model card**"), help=meaning("model card"))
        st.caption(
            _(
                "Page one for those who would use the model, then the items of "
                "CLAIM and TRIPOD+AI by number. What the program cannot know is "
                "left blank and marked so."
            )
        )
        _document(run, "model-card", "html", _("Download the model card"))


def _document(run: Run, kind: str, ending: str, label: str) -> None:
    what = f"{kind} {ending}"
    write = documents(run)[what]
    st.download_button(
        label,
        noted(lambda: write(run), "export", run=run.id, what=what),
        file_name=f"{kind}-{run.id}.{ending}",
        mime="application/pdf" if ending == "pdf" else "text/html",
        icon=":material/download:",
        key=f"document-{kind}-{ending}",
        on_click="ignore",
    )
