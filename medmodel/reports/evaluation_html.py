"""A run's evaluation and its model card as HTML that needs nothing else.

No script, no other file, no image of a patient, no patient's name. Prints well, so
that a browser makes a PDF of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medmodel.core.errors import DataError, value_or_problem
from medmodel.core.templating import render_template
from medmodel.evaluation.calibration.temperature_scaling import (
    calibrate,
    fit_temperature,
)
from medmodel.evaluation.decision.frozen_thresholds import (
    frozen_outcomes,
    frozen_thresholds,
)
from medmodel.evaluation.decision.positive_class import (
    NO_POSITIVE_CLASS,
    PositiveClass,
    positive_class,
)
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.groups.group_comparison import NOT_STATED
from medmodel.evaluation.groups.run_groups import groups_of_run
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
    overall_metrics,
)
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.evaluation.robustness.corruption_test import (
    known_from_training,
    read_corruption_test,
)
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.language import _, join_sentences
from medmodel.reports import glossary, model_card, run_facts
from medmodel.reports.multi_label import documents as of_findings
from medmodel.reports.plots import class_colours, measured_share
from medmodel.reports.segmentation import documents as of_segmentation
from medmodel.reports.svg import (
    Figure,
    curve_squares,
    reliability_square,
)
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


def evaluation_page(run: Run) -> str:
    """The evaluation as one HTML document.

    Raises:
        RunError: There are no predictions, or no split.
        DataError: The predictions hold no test image.
    """
    table = independent_predictions(run)
    predictions = split_predictions(table, "test")
    evaluation = run_facts.evaluate_run(run)
    frozen, damaged = value_or_problem(frozen_thresholds, run)
    positive = positive_class(run, predictions.classes)
    return render_template(
        "evaluation.html",
        title=_("Evaluation of {title}", title=run.title),
        measured_on=run_facts.measured_on(run, evaluation),
        evaluation=evaluation,
        limits=run_facts.limits(run, evaluation),
        decision=run_facts.decision_sentences(run),
        positive=positive,
        no_positive=_(NO_POSITIVE_CLASS) if len(predictions.classes) == 2 else "",
        of_positive=_positive_rows(predictions, positive),
        overall=_metric_rows(overall_metrics(predictions)),
        per_class=_class_rows(predictions),
        confusion=_confusion_rows(evaluation),
        curves=_curves(predictions),
        calibration=_calibration(predictions, table),
        rule=frozen[0] if frozen else None,
        thresholds_damaged=damaged and _(run_facts.THRESHOLDS_DAMAGED),
        chosen_again=run_facts.chosen_again(run) if frozen else "",
        thresholds=_threshold_rows(run, predictions) if frozen else [],
        robustness=_robustness(run),
        groups=_groups(run),
        glossary=glossary.entries(glossary.EVALUATION_TERMS),
    )


def model_card_html(run: Run) -> str:
    """The model card of any kind of run as one HTML document; raises the same."""
    if run.config.segments:
        return of_segmentation.model_card_html(run)
    if run.config.multi_label:
        return of_findings.model_card_html(run)
    evaluation = run_facts.evaluate_run(run)
    return render_template(
        "model_card.html",
        title=_("Model card of {title}", title=run.title),
        facts=model_card.model_facts_label(run, evaluation),
        items=model_card.guideline_items(run, evaluation),
        glossary=glossary.entries(glossary.CARD_TERMS),
    )


def _metric_rows(metrics: dict[str, Estimate]) -> list[list[str]]:
    return [
        [METRICS[key].overall_title, str(e), f"{e.n:,}"] for key, e in metrics.items()
    ]


def _robustness(run: Run) -> tuple[str, list[list[str]]]:
    """What image corruptions cost, as a sentence, and accuracy under each of them.

    Of a run that was not tested both are empty; of a damaged test there is a sentence.
    """
    test, problem = value_or_problem(read_corruption_test, run)
    if problem:  # whose sentence names a folder of the server
        return _("The test under image corruptions is damaged: make it again."), []
    if test is None:
        return "", []
    rows = [
        [
            _(CORRUPTIONS[key].title),
            *(str(test.metric("accuracy", key, at)) for at in range(STRENGTHS + 1)),
        ]
        for key in test.corrupted
    ]
    known = known_from_training(run)
    return join_sentences(filter(None, (test.verdict, known))), rows


@dataclass(frozen=True)
class _Attribute:
    """A table of the report: an attribute, what was tested, its heads and rows."""

    title: str
    sentences: list[str]
    heads: list[str]
    rows: list[list[str]]


def _groups(run: Run) -> tuple[str, list[_Attribute]]:
    """The verdict on groups of test images, and a table for each attribute.

    Both are empty where nothing parts the images, or the data set is not there.
    """
    groups, _problem = value_or_problem(groups_of_run, run)
    if groups is None or not groups.comparison.results:
        return "", []
    comparison = groups.comparison
    attributes = []
    for title, results in comparison.results.items():
        keys = list(results[0].metrics)
        heads = [title, _("Images"), *(_(METRICS[key].title) for key in keys)]
        rows = [
            [r.name or _(NOT_STATED), f"{r.images:,}", *map(str, r.metrics.values())]
            for r in results
        ]
        said = [str(gap) for gap in comparison.gaps if gap.attribute == title]
        attributes.append(_Attribute(title, said, heads, rows))
    return comparison.verdict, attributes


def _positive_rows(
    predictions: Predictions, positive: PositiveClass | None
) -> list[list[str]]:
    """Sensitivity, specificity and predictive values first, then the others."""
    if positive is None:
        return []
    metrics = class_metrics(predictions, positive.position)
    order = [*run_facts.POSITIVE_METRICS, *metrics]
    return [
        [_(METRICS[key].title), str(metrics[key]), f"{metrics[key].n:,}"]
        for key in dict.fromkeys(order)
    ]


def _class_rows(predictions: Predictions) -> list[list[str]]:
    each = [class_metrics(predictions, at) for at in range(len(predictions.classes))]
    return [
        [_(metric.title), *(m[key].with_n for m in each)]
        for key, metric in METRICS.items()
    ]


def _confusion_rows(evaluation: Evaluation) -> list[list[str]]:
    totals = evaluation.confusion.sum(axis=1)
    rows = []
    for at, name in enumerate(evaluation.classes):
        line = evaluation.confusion[at]
        shares = [f" ({measured_share(n / totals[at])})" if n else "" for n in line]
        counts = [f"{n:,}{share}" for n, share in zip(line, shares, strict=True)]
        rows.append([name, *counts])
    return rows


def _curves(predictions: Predictions) -> Iterator[Figure]:
    colours = class_colours(predictions.classes)
    for at, name in enumerate(predictions.classes):
        yield from curve_squares(predictions, at, name, colours[name])


def _calibration(predictions: Predictions, table: pd.DataFrame) -> Iterator[Figure]:
    yield reliability_square(predictions, _("Predicted class, as trained"))
    try:
        temperature = fit_temperature(split_predictions(table, "val"))
    except DataError as error:
        yield None, str(error)
        return
    if temperature.bounded:
        yield None, temperature.why_unknown
        return
    title = _(
        "At temperature {temperature:.2f}, fitted on {images:,} validation images",
        temperature=temperature.value,
        images=temperature.images,
    )
    yield reliability_square(calibrate(predictions, temperature.value), title)


def _threshold_rows(run: Run, predictions: Predictions) -> list[list[str]]:
    keys = ("sensitivity", "specificity", "ppv", "npv")
    return [
        [o.name, f"{o.threshold:.3f}", *(str(o.metrics[key]) for key in keys)]
        for o in frozen_outcomes(run, predictions)
    ]
