"""One-page PDF of a segmentation's evaluation: what a reader must not miss."""

from __future__ import annotations

from medmodel.evaluation.segmentation.evaluation import SegmentationEvaluation
from medmodel.language import _, join_sentences, ngettext
from medmodel.reports.evaluation_pdf import show_foot, show_head
from medmodel.reports.pdf_canvas import MARGIN, PALE, WIDTH, PdfCanvas, shortened
from medmodel.reports.segmentation import facts
from medmodel.reports.segmentation.metric_rows import metric_rows
from medmodel.runs.run import Run

_INSIDE = WIDTH - 2 * MARGIN
_CLASSES = 3
"""So many classes have a table of their own; all are in the HTML evaluation."""


def evaluation_sheet(run: Run) -> bytes:
    """The evaluation on one A4 page; the same run makes the same bytes.

    Raises:
        RunError: There is no table, or no split.
        DataError: It holds no test image.
    """
    evaluation = facts.evaluate_run(run)
    page = PdfCanvas(_("Evaluation of {title}", title=run.title))
    tested_on = facts.tested_on(run, evaluation)
    measured_on = _("Measured on {tested_on} Intervals are 95 %.", tested_on=tested_on)
    show_head(page, run, measured_on)
    for name in evaluation.classes[:_CLASSES]:
        page.heading(shortened(name, _INSIDE, 10.5))
        head = [_("Metric"), _("Value (95 % interval)"), _("Images")]
        rows = [head, *metric_rows(evaluation, name)]
        page.table(MARGIN, rows, [260, 180, 60])
    _others(page, evaluation)
    page.paragraph(facts.what_metrics_are(evaluation), 7.5, PALE)
    page.heading(_("Limits"))
    page.paragraph(join_sentences(facts.limits(run, evaluation)), 8)
    show_foot(page, run)
    return page.done()


def _others(page: PdfCanvas, evaluation: SegmentationEvaluation) -> None:
    more = len(evaluation.classes) - _CLASSES
    if more > 0:
        sentence = ngettext(
            "{count} more class is in the HTML evaluation.",
            "{count} more classes are in the HTML evaluation.",
            more,
        )
        page.paragraph(sentence, 7, PALE)
