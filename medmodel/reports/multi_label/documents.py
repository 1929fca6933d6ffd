"""Evaluation and model card of a run on several findings, as HTML that stands alone.

No image, no file name and no patient's name is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medmodel.core.templating import render_template
from medmodel.evaluation.calibration.temperature_scaling import calibrate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    Decision,
    FindingResult,
    FindingsEvaluation,
    finding_predictions,
)
from medmodel.evaluation.multi_label.run_findings import (
    RATES,
    RunFindings,
    run_findings,
)
from medmodel.language import _, join_sentences
from medmodel.language.right_to_left import isolated
from medmodel.reports import glossary
from medmodel.reports.card.items import (
    GuidelineItem,
    items_on_data,
    items_on_test,
    items_on_training,
    uncertainty_text,
)
from medmodel.reports.card.label import facts_label
from medmodel.reports.multi_label import facts, metric_rows
from medmodel.reports.plots import class_colours
from medmodel.reports.run_facts import Fact
from medmodel.reports.svg import (
    Figure,
    curve_squares,
    reliability_square,
)
from medmodel.runs.run import Run

_TABLES = ((0, 1, 2, 3, 9), (0, 4, 5, 6, 7, 8))
"""Columns of `result_rows` that stand side by side: more are wider than paper."""


def evaluation_page(run: Run) -> str:
    """The evaluation as one HTML document.

    Raises:
        RunError: There is no table, or no split.
        DataError: It holds no test image.
    """
    findings = run_findings(run)
    evaluation = findings.evaluation
    return render_template(
        "findings.html",
        title=_("Evaluation of {title}", title=run.title),
        tested_on=facts.tested_on(run, evaluation),
        limits=facts.limits(run, findings),
        mean=facts.mean_sentence(evaluation),
        overall=metric_rows.overall_rows(evaluation),
        tables=[_columns(evaluation, chosen) for chosen in _TABLES],
        how_measured=facts.how_measured(evaluation.results),
        curves=_curves(findings),
        calibration=[_reliability(findings, each) for each in findings.decisions],
        glossary=glossary.entries(glossary.FINDING_TERMS),
    )


def _columns(
    evaluation: FindingsEvaluation, chosen: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of some columns of `result_rows`."""
    heads, rows = metric_rows.result_heads(), metric_rows.result_rows(evaluation)
    return [heads[at] for at in chosen], [[row[at] for at in chosen] for row in rows]


def _curves(findings: RunFindings) -> Iterator[Figure]:
    colours = class_colours([each.name for each in findings.decisions])
    for decision in findings.decisions:
        name = decision.name
        data = finding_predictions(findings.table, name, "test")
        yield from curve_squares(data, FINDING, name, colours[name])


def _reliability(findings: RunFindings, decision: Decision) -> Figure:
    data = finding_predictions(findings.table, decision.name, "test")
    title = (
        _("{finding}, calibrated", finding=decision.name)
        if decision.calibrated
        else _("{finding}, as trained", finding=decision.name)
    )
    return reliability_square(calibrate(data, decision.temperature), title, FINDING)


def model_card_html(run: Run) -> str:
    """The model card as one HTML document; takes and raises the same."""
    findings = run_findings(run)
    return render_template(
        "model_card.html",
        title=_("Model card of {title}", title=run.title),
        facts=findings_label(run, findings),
        items=guideline_items(run, findings),
        glossary=glossary.entries(glossary.FINDING_CARD_TERMS),
    )


def findings_label(run: Run, findings: RunFindings) -> list[Fact]:
    """Page one of the model card, see `facts_label`."""
    evaluation = findings.evaluation
    names = _(", ").join(each.name for each in evaluation.results)
    counts = _(", ").join(
        f"{isolated(each.name)} {each.positives:,}" for each in evaluation.results
    )
    summary = _(
        "Gives an image's probability of each of: {findings}. An image may have "
        "several of them, or none.",
        findings=names,
    )
    results = [
        (_("Test images with each finding"), counts),
        (_("Copies in the test"), facts.test_copies(findings)),
        (_("All findings together"), facts.mean_sentence(evaluation)),
        *((each.name, _performance(each)) for each in evaluation.results),
        (_("Thresholds and calibration"), facts.how_measured(evaluation.results)),
    ]
    return facts_label(
        run,
        summary=summary,
        outcome=names,
        tested_on=facts.tested_on(run, evaluation),
        results=results,
        limits=facts.limits(run, findings),
    )


def _performance(result: FindingResult) -> str:
    """What a finding's row of the evaluation says, in a few words."""
    area = _("AUC {auc}", auc=result.auc)
    if result.outcome is None:
        return _("{area}; no threshold: never predicted", area=area)
    return _(
        "{area}; at threshold {threshold} sensitivity {sensitivity}, specificity "
        "{specificity}",
        area=area,
        threshold=metric_rows.threshold_text(result.decision),
        sensitivity=metric_rows.result_rate(result, "sensitivity"),
        specificity=metric_rows.result_rate(result, "specificity"),
    )


def guideline_items(run: Run, findings: RunFindings) -> list[GuidelineItem]:
    """The pages behind, in the order of CLAIM."""
    evaluation = findings.evaluation
    keys = ("auc", "average_precision", *RATES, "calibration_error")
    performance = join_sentences(
        [facts.mean_sentence(evaluation), _("Every metric: see the evaluation.")]
    )
    return [
        *items_on_data(run),
        *items_on_training(run),
        *items_on_test(
            run,
            tested_on=facts.tested_on(run, evaluation),
            metrics=_(", ").join(_(METRICS[key].title) for key in keys),
            uncertainty=uncertainty_text(evaluation.patients),
            performance=performance,
            limits=facts.limits(run, findings),
            explainability=_("Saliency maps, on request."),
        ),
    ]
