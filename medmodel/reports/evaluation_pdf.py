"""One-page PDF of a run's evaluation: what a reader must not miss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medmodel import __version__
from medmodel.core.errors import DataError, value_or_problem
from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
from medmodel.evaluation.decision.frozen_thresholds import (
    frozen_outcomes,
    frozen_thresholds,
)
from medmodel.evaluation.decision.positive_class import PositiveClass, positive_class
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.groups.run_groups import groups_of_run
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.curves import roc_curve
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
    overall_metrics,
)
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import _, join_sentences, ngettext
from medmodel.reports import run_facts
from medmodel.reports.pdf_canvas import (
    LINE_HEIGHT,
    MARGIN,
    PALE,
    WIDTH,
    PdfCanvas,
    box_sentence,
    shortened,
    text_width,
    wrapped,
)
from medmodel.reports.plots import class_colours
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run

_INSIDE = WIDTH - 2 * MARGIN
_RED = "#b3261e"
_ENDS = np.array([0.0, 1.0])
_LOWEST = MARGIN - 4
"""Where text ends at the latest, so that the foot has its place."""
_CLASSES = 8
"""So many classes have a line of their own; all are in the HTML evaluation."""
_GROUPS = 4
"""So many groups that are too small are named."""
_MATRIX = 24
"""So many classes fit into the matrix."""


def evaluation_sheet(run: Run) -> bytes:
    """The evaluation on one A4 page; the same run makes the same bytes.

    Raises:
        RunError: There are no predictions, or no split.
        DataError: The predictions hold no test image.
    """
    data = split_predictions(independent_predictions(run), "test")
    evaluation = run_facts.evaluate_run(run)
    page = PdfCanvas(_("Evaluation of {title}", title=run.title))
    measured_on = run_facts.measured_on(run, evaluation)
    show_head(page, run, join_sentences([measured_on, evaluation.resolution]))
    top = page.y
    positive = positive_class(run, data.classes)
    estimates = _metrics(page, data, positive)
    left = page.y
    page.y = top
    _confusion(page, evaluation)
    page.y = min(page.y, left)
    _curves(page, data, positive)
    estimates += _classes(page, evaluation)
    estimates += _operating(page, run, data)
    _limits(page, run, evaluation, groups_too_few(estimates))
    show_foot(page, run)
    return page.done()


def show_head(page: PdfCanvas, run: Run, measured_on: str) -> None:
    """Draws warning, title and what the numbers were measured on.

    Args:
        page: Empty so far.
        run: What was evaluated.
        measured_on: Whole sentences.
    """
    page.frame(MARGIN, page.y - 17, _INSIDE, 17, _RED)
    warning = _("Not for clinical use. Research and teaching only.")
    page.text(MARGIN + 6, page.y - 12, warning, 9, _RED)
    page.y -= 40
    title = shortened(_("Evaluation of {title}", title=run.title), _INSIDE, 15)
    page.text(MARGIN, page.y, title, 15)
    page.y -= 3
    page.paragraph(measured_on)


def _metrics(
    page: PdfCanvas, data: Predictions, positive: PositiveClass | None
) -> list[Estimate]:
    """Of two classes those of the positive one, else means over the classes."""
    if positive is None:
        page.heading(
            _("All classes together (macro-averaged where a mean is taken)"), size=8.5
        )
        metrics, order = overall_metrics(data), [*METRICS]
    else:
        page.heading(
            shortened(_("Positive class: {name}", name=positive.name), 290, 10.5)
        )
        metrics = class_metrics(data, positive.position)
        order = list(dict.fromkeys([*run_facts.POSITIVE_METRICS, *metrics]))
    rows = [[_("Metric"), _("Value (95 % interval)"), _("Images")]]
    for key in order:
        metric, estimate = METRICS[key], metrics[key]
        title = shortened(_(metric.title), 148, 7.5)
        rows.append([title, estimate.short, f"{estimate.n:,}"])
    page.table(MARGIN, rows, [150, 108, 34])
    return [*metrics.values()]


def _confusion(page: PdfCanvas, evaluation: Evaluation) -> None:
    left = MARGIN + 312
    page.heading(_("Confusion matrix"), left)
    page.y -= 12
    page.text(
        left, page.y, _("true classes in rows, predicted classes in columns"), 6.5, PALE
    )
    k = len(evaluation.classes)
    if k > _MATRIX:
        page.y -= 14
        page.text(
            left,
            page.y,
            _("{classes} classes: see the HTML evaluation.", classes=k),
            7.5,
        )
        return
    names = min(max(text_width(name, 6.5) for name in evaluation.classes), 66) + 12
    side = min((_INSIDE - 312 - names) / k, 132 / k)
    wide = k <= _CLASSES and all(
        text_width(name, 6) < side - 2 for name in evaluation.classes
    )
    top = page.y - 14
    totals = np.maximum(evaluation.confusion.sum(axis=1), 1)
    for column, name in enumerate(evaluation.classes):
        head = name if wide else f"{column + 1}"
        page.centred(left + names + side * (column + 0.5), top + 3, head, 6, PALE)
    for row, name in enumerate(evaluation.classes):
        low = top - side * (row + 1)
        shown = name if wide else f"{row + 1} {name}"
        middle = low + side / 2 - 2
        page.text(left, middle, shortened(shown, names - 2, 6.5), 6.5, PALE)
        for column in range(k):
            count = int(evaluation.confusion[row, column])
            share = count / totals[row]
            place = left + names + side * column
            page.cell(place, low, side, side, 0.85 * float(share))
            if k <= 12:
                ink = "#ffffff" if share > 0.6 else "#1c2730"
                size = min(7.5, side / 3)
                page.centred(place + side / 2, middle, f"{count:,}", size, ink)
    page.y = top - side * k - 4


def _curves(page: PdfCanvas, data: Predictions, positive: PositiveClass | None) -> None:
    side = 138.0
    page.heading(_("ROC curves, each class against the rest"))
    above = page.y
    page.text(MARGIN + 288, above + 3.7, _("Calibration of the predicted class"), 10.5)
    low = above - side - 6
    # Of two classes, one curve is the other turned round.
    last = positive.position if positive else 1
    wanted = [last] if len(data.classes) == 2 else range(len(data.classes))
    names = _roc(page, data, wanted, low, side)
    show_legend(page, names, MARGIN + 22 + side + 10, above - 10)
    square = page.unit_square(
        MARGIN + 310,
        low,
        side,
        _("Score of the predicted class"),
        _("Observed frequency"),
    )
    square.line(_ENDS, _ENDS, PALE, dotted=True)
    used = [b for b in reliability_diagram(data) if b.count]
    for b in used:
        share = b.share
        ends = (share.low, share.high) if share.has_interval else (share.value,) * 2
        square.dot(b.mean_score, share.value, *ends, "#0072B2")
    right = MARGIN + 310 + side + 8
    page.text(right, above - 10, _("Images"), 6.5, PALE)
    for at, b in enumerate(used):
        line = f"{b.low:.1f}–{b.high:.1f}: {b.count:,}"
        page.text(right, above - 20 - 9 * at, line, 6.5)
    page.y = low - 22


def _roc(
    page: PdfCanvas, data: Predictions, wanted: Sequence[int], low: float, side: float
) -> list[tuple[str, str]]:
    """Draws the curves; (class, colour) of each."""
    square = page.unit_square(
        MARGIN + 22, low, side, _("1 − specificity"), _("Sensitivity")
    )
    square.line(_ENDS, _ENDS, PALE, dotted=True)
    colours, drawn = class_colours(data.classes), []
    for at in wanted:
        name = data.classes[at]
        try:
            curve = roc_curve(data, at)
        except DataError:  # absent; the limits say so
            continue
        if len(wanted) <= 3 and curve.too_few is None:
            square.band(curve.band_x, curve.low, curve.high, colours[name])
        square.line(curve.x, curve.y, colours[name])
        drawn.append((name, colours[name]))
    return drawn


def show_legend(
    page: PdfCanvas, names: Sequence[tuple[str, str]], x: float, y: float
) -> None:
    """Names beside curves, each after a line of its colour; its corner is (x, y)."""
    for at, (name, colour) in enumerate(names[:14]):
        page.text(x, y - 9 * at, "—", 7, colour)
        page.text(x + 10, y - 9 * at, shortened(name, 88, 6.5), 6.5)
    if len(names) > 14:
        page.text(
            x, y - 9 * 14, _("and {classes} more", classes=len(names) - 14), 6.5, PALE
        )


def _classes(page: PdfCanvas, evaluation: Evaluation) -> list[Estimate]:
    page.heading(_("Class by class"))
    rows = [[_("Class"), _("Images"), _("Sensitivity"), _("PPV (precision)"), _("AUC")]]
    estimates: list[Estimate] = []
    for result in evaluation.per_class[:_CLASSES]:
        numbers = (result.sensitivity, result.precision, result.auc)
        shown = (number.short for number in numbers)
        rows.append([result.name, f"{result.images:,}", *shown])
        estimates += numbers
    page.table(MARGIN, rows, [147, 50, 110, 110, 110])
    _more(page, len(evaluation.classes))
    return estimates


def _operating(page: PdfCanvas, run: Run, data: Predictions) -> list[Estimate]:
    page.heading(_("Operating point"))
    if decision := run_facts.decision_sentences(run):
        page.paragraph(decision, 7.5)
    frozen, damaged = value_or_problem(frozen_thresholds, run)
    if damaged:
        page.paragraph(_(run_facts.THRESHOLDS_DAMAGED))
        return []
    if frozen is None:
        page.paragraph(_("No threshold was chosen: the predicted class counts."))
        return []
    rule = shortened(f"{frozen[0]}", 3 * _INSIDE, 7.5)
    again = run_facts.chosen_again(run)
    page.paragraph(
        _("Chosen on validation images only and frozen: {rule}.", rule=rule) + again,
        7.5,
    )
    keys = ("sensitivity", "specificity", "ppv", "npv")
    rows = [
        [
            _("Class"),
            _("Threshold"),
            _("Sensitivity"),
            _("Specificity"),
            _("PPV"),
            _("NPV"),
        ]
    ]
    outcomes = frozen_outcomes(run, data)
    for outcome in outcomes:
        rates = [outcome.metrics[key].short for key in keys]
        rows.append([outcome.name, f"{outcome.threshold:.3f}", *rates])
    page.table(MARGIN, rows[: _CLASSES + 1], [87, 45, 98.5, 98.5, 98.5, 98.5], 7)
    _more(page, len(outcomes))
    return [outcome.metrics[key] for outcome in outcomes[:_CLASSES] for key in keys]


def groups_too_few(estimates: Sequence[Estimate]) -> str:
    """What the numbers after "too few" count, as a sentence; empty where none is."""
    groups = dict.fromkeys(f"{e.too_few}" for e in estimates if e.too_few is not None)
    if not groups:
        return ""
    named, rest = list(groups)[:_GROUPS], len(groups) - _GROUPS
    if rest > 0:
        named.append(ngettext("{count} more group", "{count} more groups", rest))
    return _("Too few for an interval: {groups}.", groups=_("; ").join(named))


def _more(page: PdfCanvas, count: int) -> None:
    if count > _CLASSES:
        more = ngettext(
            "{count} more class is in the HTML evaluation.",
            "{count} more classes are in the HTML evaluation.",
            count - _CLASSES,
        )
        page.paragraph(more, 7, PALE)


def _limits(page: PdfCanvas, run: Run, evaluation: Evaluation, few: str) -> None:
    page.heading(_("Limits"))
    temperature, problem = value_or_problem(stored_temperature, run)
    groups, _problem = value_or_problem(groups_of_run, run)
    by_group = groups.comparison.verdict if groups and groups.comparison.results else ""
    limits = [*filter(None, [by_group]), *run_facts.limits(run, evaluation)]
    if problem:
        limits.append(
            _(
                "Whether scores are calibrated is not known: calibration.json is "
                "damaged."
            )
        )
    elif temperature is None:
        limits.append(_("Scores are as trained, not calibrated."))
    else:
        limits.append(
            _(
                "The numbers are of the scores as trained; a temperature of "
                "{temperature:.2f} is stored for Diagnose.",
                temperature=temperature.value,
            )
        )
    page.paragraph(as_fits(page, [*limits, few], 7.5), 7.5)


def as_fits(page: PdfCanvas, sentences: Sequence[str], size: float) -> str:
    """As many of the sentences as fit on the page, and where the rest stands."""
    room = int((page.y - _LOWEST) / (size * LINE_HEIGHT))
    more = _("The other limits are in the HTML evaluation.")
    for count in range(len(sentences), -1, -1):
        rest = [] if count == len(sentences) else [more]
        text = join_sentences([*sentences[:count], *rest])
        if len(list(wrapped(text, _INSIDE, size))) <= room:
            break
    return text


def show_foot(page: PdfCanvas, run: Run) -> None:
    """Draws what made the page, the run's id, and when it ended."""
    ended = run_facts.when(run.status.ended or run.status.heartbeat)
    values = {"version": __version__, "id": run.id}
    said = (
        _("MedModel {version}; run {id}, ended {ended}", ended=ended, **values)
        if ended
        else _("MedModel {version}; run {id}", **values)
    )
    if page.boxes:
        said = f"{said}. {box_sentence()}"
    page.text(MARGIN, MARGIN - 12, said, 6.5, PALE)
