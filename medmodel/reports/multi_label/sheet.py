"""One-page PDF of the evaluation of several findings: what must not be missed."""

from __future__ import annotations

import numpy as np

from medmodel.core.errors import DataError
from medmodel.evaluation.metrics.curves import roc_curve
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    finding_predictions,
)
from medmodel.evaluation.multi_label.run_findings import (
    RATES,
    RunFindings,
    run_findings,
)
from medmodel.language import _, ngettext
from medmodel.reports.evaluation_pdf import (
    as_fits,
    groups_too_few,
    show_foot,
    show_head,
    show_legend,
)
from medmodel.reports.multi_label import facts, metric_rows
from medmodel.reports.pdf_canvas import MARGIN, PALE, PdfCanvas
from medmodel.reports.plots import class_colours
from medmodel.runs.run import Run

_AT_ONCE = 14
"""So many findings have a row and a curve; all are in the HTML evaluation."""
_BANDS = 3
"""Curves at most that have a band."""
_SIDE = 150.0
_ENDS = np.array([0.0, 1.0])


def evaluation_sheet(run: Run) -> bytes:
    """The evaluation on one A4 page; the same run makes the same bytes.

    Raises:
        RunError: There is no table, or no split.
        DataError: It holds no test image.
    """
    findings = run_findings(run)
    evaluation = findings.evaluation
    page = PdfCanvas(_("Evaluation of {title}", title=run.title))
    tested_on = facts.tested_on(run, evaluation)
    measured_on = _("Measured on {tested_on} Intervals are 95 %.", tested_on=tested_on)
    show_head(page, run, measured_on)
    page.heading(_("All findings together"))
    head = [_("Metric"), _("Value (95 % interval)"), _("Images")]
    rows = [head, *metric_rows.overall_rows(evaluation)]
    page.table(MARGIN, rows, [180, 250, 60])
    _show_results(page, findings)
    page.paragraph(facts.how_measured(evaluation.results), 7, PALE)
    _show_curves(page, findings)
    page.heading(_("Limits"))
    limits = [*facts.limits(run, findings), _too_few(findings)]
    page.paragraph(as_fits(page, limits, 7.5), 7.5)
    show_foot(page, run)
    return page.done()


def _show_results(page: PdfCanvas, findings: RunFindings) -> None:
    page.heading(_("Finding by finding"))
    results = findings.evaluation.results
    rows = [
        [
            _("Image finding"),
            _("With it"),
            _("AUC"),
            _("Threshold"),
            _("Sensitivity"),
            _("Specificity"),
        ]
    ]
    for each in results[:_AT_ONCE]:
        rates = (metric_rows.result_rate(each, key, short=True) for key in RATES[:2])
        threshold = metric_rows.threshold_text(each.decision)
        rows.append(
            [each.name, metric_rows.with_it(each), each.auc.short, threshold, *rates]
        )
    page.table(MARGIN, rows, [118, 78, 92, 47, 96, 96], 7)
    more = len(results) - _AT_ONCE
    if more > 0:
        sentence = ngettext(
            "{count} more finding is in the HTML evaluation.",
            "{count} more findings are in the HTML evaluation.",
            more,
        )
        page.paragraph(sentence, 7, PALE)


def _show_curves(page: PdfCanvas, findings: RunFindings) -> None:
    """ROC curves of the findings that can be measured, in one square."""
    page.heading(_("ROC curves, each finding against its absence"))
    above = page.y
    low = above - _SIDE - 6
    axes = (_("1 − specificity"), _("Sensitivity"))
    square = page.unit_square(MARGIN + 22, low, _SIDE, *axes)
    square.line(_ENDS, _ENDS, PALE, dotted=True)
    names = [each.name for each in findings.decisions][:_AT_ONCE]
    colours, drawn = class_colours(names), []
    for name in names:
        data = finding_predictions(findings.table, name, "test")
        try:
            curve = roc_curve(data, FINDING)
        except DataError:  # all images have it, or none; the limits say so
            continue
        if len(names) <= _BANDS and curve.too_few is None:
            square.band(curve.band_x, curve.low, curve.high, colours[name])
        square.line(curve.x, curve.y, colours[name])
        drawn.append((name, colours[name]))
    show_legend(page, drawn, MARGIN + 22 + _SIDE + 10, above - 10)
    page.y = low - 22


def _too_few(findings: RunFindings) -> str:
    """What the numbers after "too few" count, as a sentence; empty where none is."""
    shown = findings.evaluation.results[:_AT_ONCE]
    rates = [each.rate(key) for each in shown for key in RATES[:2]]
    return groups_too_few([*(each.auc for each in shown), *rates])
