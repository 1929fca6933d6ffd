"""A run's evaluation and its model card as HTML that needs nothing else.

No script, no other file, no picture of a patient, no patient's name. Prints well, so
that a browser makes a PDF of it.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medmodel import __version__
from medmodel.core.errors import DataError
from medmodel.evaluation.calibration import reliability_diagram
from medmodel.evaluation.curves import precision_recall_curve, roc_curve
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.metrics import METRICS, class_metrics, overall_metrics
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.evaluation.temperature_scaling import calibrate, fit_temperature
from medmodel.evaluation.thresholds import frozen_outcomes, frozen_thresholds
from medmodel.reports import model_card
from medmodel.reports.plots import class_colours, measured_share
from medmodel.reports.svg import Line, band_points, unit_square
from medmodel.runs.run import Run
from medmodel.runs.tables import read_predictions

if TYPE_CHECKING:
    import pandas as pd

Writer = Callable[[Run], str]
_DIAGONAL = Line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#8a8a8a", dotted=True)
_STYLE = """
body { font: 15px/1.45 sans-serif; color: #1c2730; max-width: 62em; margin: 2em auto;
       padding: 0 1em; background: #fff }
h1 { font-size: 1.7em } h2 { font-size: 1.25em; margin-top: 1.6em }
table { border-collapse: collapse; margin: .6em 0 } caption { text-align: left }
td, th { border: 1px solid #d5dde3; padding: .25em .6em; text-align: left;
         vertical-align: top }
th { min-width: 8em } td.n { text-align: right }
.warn { border: 2px solid #b3261e; padding: .5em 1em }
.grey { color: #55636e } .blank { border-bottom: 1px solid #55636e; color: #55636e }
figure { display: inline-block; margin: .5em 1em .5em 0 }
.wide { overflow-x: auto }
@page { size: A4; margin: 15mm } @media print { body { margin: 0 } h2, figure, tr {
  break-inside: avoid; break-after: avoid } .page { break-before: page } }
"""


def evaluation_page(run: Run) -> str:
    """The evaluation as one HTML document.

    Raises:
        RunError: There are no predictions, or no split.
        DataError: The predictions hold no test image.
    """
    table = read_predictions(run)
    data = split_predictions(table, "test")
    found = model_card.evaluate_run(run)
    parts = [
        _frame(run, found),
        "<h2>All classes together</h2>",
        _metrics_table(overall_metrics(data)),
        "<h2>Class by class</h2>",
        _class_tables(data),
        "<h2>What was taken for what</h2>",
        _confusion(found),
        "<h2>Curves</h2>",
        *_curves(data),
        "<h2>Calibration</h2>",
        _calibration(data, table),
        _thresholds(run, data),
    ]
    return _document(f"Evaluation of {run.title}", parts)


def model_card_html(run: Run) -> str:
    """The model card as one HTML document; takes and raises the same."""
    found = model_card.evaluate_run(run)
    parts = [
        "<h2>Model facts</h2>",
        _facts(model_card.model_facts_label(run, found)),
        '<h2 class="page">For reporting guidelines</h2>',
        '<p class="grey">Items of CLAIM 2024 and TRIPOD+AI by number, in our words. A '
        "line means that nobody told the program: fill it in.</p>",
        _items(model_card.guideline_items(run, found)),
    ]
    return _document(f"Model card of {run.title}", parts)


def _document(title: str, parts: Iterable[str]) -> str:
    shown = html.escape(title)
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{shown}</title><style>{_STYLE}</style><h1>{shown}</h1>"
        '<p class="warn"><b>Not for clinical use.</b> Research and teaching only.</p>'
        + "".join(parts)
        + f'<p class="grey">Made {made} by MedModel {__version__}.</p></html>'
    )


def _frame(run: Run, found: Evaluation) -> str:
    sentences = [
        f"Measured on {model_card.tested_on(run, found)}",
        "Intervals are 95 %.",
        f"Always guessing {found.majority} gives an accuracy of {found.baseline}.",
    ]
    limits = "".join(
        f"<li>{html.escape(s)}</li>" for s in model_card.limits(run, found)
    )
    return f"<p>{html.escape(' '.join(sentences))}</p><ul>{limits}</ul>"


def _metrics_table(metrics: dict[str, Estimate]) -> str:
    rows = [[METRICS[key].title, str(e), f"{e.n:,}"] for key, e in metrics.items()]
    return _table(["Metric", "Value (95 % interval)", "n"], rows)


def _class_tables(data: Predictions) -> str:
    each = [class_metrics(data, at) for at in range(len(data.classes))]
    rows = [
        [metric.title, *(f"{m[key]}, n = {m[key].n:,}" for m in each)]
        for key, metric in METRICS.items()
    ]
    return f'<div class="wide">{_table(["Metric", *data.classes], rows)}</div>'


def _confusion(found: Evaluation) -> str:
    totals = found.confusion.sum(axis=1)
    rows = []
    for at, name in enumerate(found.classes):
        line = found.confusion[at]
        shares = [f" ({measured_share(n / totals[at])})" if n else "" for n in line]
        counts = [f"{n:,}{share}" for n, share in zip(line, shares, strict=True)]
        rows.append([name, *counts])
    table = _table(["Label ↓ first choice →", *found.classes], rows)
    return f'<div class="wide">{table}</div>'


def _curves(data: Predictions) -> Iterable[str]:
    colours = class_colours(data.classes)
    for at, name in enumerate(data.classes):
        try:
            roc, precision = roc_curve(data, at), precision_recall_curve(data, at)
        except DataError as error:
            yield f"<p>{html.escape(str(error))}</p>"
            continue
        line = Line(roc.x, roc.y, colours[name])
        band = band_points(roc.band_x, roc.low, roc.high)
        yield _figure(
            unit_square(
                [_DIAGONAL, line],
                f"ROC of {name}",
                "1 − specificity",
                "Sensitivity",
                band,
            ),
            f"{name}: ROC curve",
        )
        line = Line(precision.x, precision.y, colours[name])
        band = band_points(precision.band_x, precision.low, precision.high)
        title = f"Precision–recall curve of {name}"
        drawn = unit_square([line], title, "Recall", "Precision", band)
        yield _figure(drawn, f"{name}: precision–recall curve")


def _calibration(data: Predictions, table: pd.DataFrame) -> str:
    drawn = [_reliability(data, "First choice, as trained")]
    try:
        found = fit_temperature(split_predictions(table, "val"))
    except DataError as error:
        return drawn[0] + f"<p>{html.escape(str(error))}</p>"
    if found.bounded:
        return drawn[0] + f"<p>{html.escape(found.why_unknown)}</p>"
    fitted = f"fitted on {found.images:,} validation images"
    title = f"At temperature {found.value:.2f}, {fitted}"
    drawn.append(_reliability(calibrate(data, found.value), title))
    return "".join(drawn)


def _reliability(data: Predictions, title: str) -> str:
    used = [b for b in reliability_diagram(data) if b.count]
    x = np.array([b.mean_score for b in used])
    y = np.array([b.share.value for b in used])
    line = Line(x, y, "#0072B2", dots=True)
    return _figure(
        unit_square([_DIAGONAL, line], title, "Score", "Share that came true"),
        f"{title}; images: {', '.join(f'{b.count:,}' for b in used)}",
    )


def _thresholds(run: Run, data: Predictions) -> str:
    frozen = frozen_thresholds(run)
    if frozen is None:
        return ""
    rows = [
        [
            o.name,
            f"{o.threshold:.3f}",
            *(f"{o.metrics[k]}" for k in ("sensitivity", "specificity", "ppv", "npv")),
        ]
        for o in frozen_outcomes(run, data)
    ]
    heads = ["Class", "Threshold", "Sensitivity", "Specificity", "PPV", "NPV"]
    rule = html.escape(str(frozen[0]))
    return (
        f"<h2>Operating point</h2><p>Chosen on validation images only and frozen: "
        f"{rule}.{html.escape(model_card.chosen_again(run))}</p>{_table(heads, rows)}"
    )


def _items(items: Sequence[model_card.GuidelineItem]) -> str:
    rows = [
        f"<tr><th>{html.escape(item.topic)}</th><td>{item.claim or '–'}</td>"
        f"<td>{item.tripod or '–'}</td><td>{_known(item.text)}</td></tr>"
        for item in items
    ]
    heads = "<tr><th>Topic</th><th>CLAIM</th><th>TRIPOD+AI</th><th>Known</th></tr>"
    return f"<table>{heads}{''.join(rows)}</table>"


def _known(text: str) -> str:
    blank = f'<span class="blank" title="blank">{"&nbsp;" * 60}</span>'
    return html.escape(text) or blank


def _facts(facts: Sequence[model_card.Fact]) -> str:
    rows = []
    for topic, text in facts:
        rows.append(f"<tr><th>{html.escape(topic)}</th><td>{_known(text)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>{drawn}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    lines = (
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"
