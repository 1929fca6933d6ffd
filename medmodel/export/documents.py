"""A run's documents to take away, whatever its model does."""

from __future__ import annotations

from collections.abc import Callable

from medmodel.reports import evaluation_html, evaluation_pdf
from medmodel.reports.multi_label import documents as findings_documents
from medmodel.reports.multi_label import sheet as findings_sheet
from medmodel.reports.segmentation import documents as segmentation_documents
from medmodel.reports.segmentation import sheet as segmentation_sheet
from medmodel.runs.run import Run


def documents(run: Run) -> dict[str, Callable[[Run], str | bytes]]:
    """Kind of document and its file ending -> what makes it."""
    page, sheet = evaluation_html.evaluation_page, evaluation_pdf.evaluation_sheet
    if run.config.segments:
        page = segmentation_documents.evaluation_page
        sheet = segmentation_sheet.evaluation_sheet
    elif run.config.multi_label:
        page = findings_documents.evaluation_page
        sheet = findings_sheet.evaluation_sheet
    return {
        "evaluation html": page,
        "evaluation pdf": sheet,
        "model-card html": evaluation_html.model_card_html,
    }
