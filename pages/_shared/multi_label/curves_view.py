"""Curves and calibration of one finding on the test images."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.calibration.temperature_scaling import calibrate
from medmodel.evaluation.intervals.minima import too_few
from medmodel.evaluation.metrics.curves import (
    ThresholdCurve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    Decision,
    FindingResult,
    finding_predictions,
)
from medmodel.evaluation.multi_label.run_findings import RunFindings
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _, join_sentences
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain
from pages._shared.multi_label.sets_view import show_finding_sets

FEWEST = 5
"""Test images with a finding, and without, below which no curve is drawn."""


def pick_finding(findings: RunFindings) -> FindingResult:
    """Lets the user choose a finding; the same on every view."""
    results = {each.name: each for each in findings.evaluation.results}
    name = st.selectbox(
        _("Image finding"),
        list(results),
        key="evaluated-finding",
        persist_state="session",
    )
    return results[name]


def show_finding_curves(run: Run, findings: RunFindings) -> None:
    """ROC and precision–recall of a finding; a dot where its threshold lies."""
    result = pick_finding(findings)
    if _say_too_few(result):
        return
    data = _as_shown(findings, result.decision)
    colour = _colour(findings, result)
    known = result.decision.threshold == result.decision.threshold
    threshold = result.decision.threshold if known else None
    roc, precision = roc_curve(data, FINDING), precision_recall_curve(data, FINDING)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            _("**ROC curve**: area {area}", area=plain(result.auc)),
            help=meaning("ROC curve", "AUC", "interval"),
        )
        alt = _("ROC curve of {name} with its band", name=result.name)
        show_figure(figures.roc_figure(roc, colour, threshold), "roc", alt)
        csv_button(_points(roc, _("1-specificity"), _("sensitivity")), "roc", run)
    with right:
        st.markdown(
            _(
                "**Precision–recall curve**: average precision {average}",
                average=plain(result.average_precision),
            ),
            help=meaning("precision–recall curve", "average precision", "interval"),
        )
        figure = figures.precision_recall_figure(
            precision, colour, result.prevalence, threshold
        )
        alt = _("Precision–recall curve of {name}", name=result.name)
        show_figure(figure, "precision-recall", alt)
        table = _points(precision, _("recall"), _("precision"))
        csv_button(table, "precision-recall", run)
    st.caption(plain(_beside(result, roc, known)))


def show_finding_calibration(run: Run, findings: RunFindings) -> None:
    """Whether a finding's probabilities as shown come true as often as they say."""
    result = pick_finding(findings)
    if not _say_too_few(result):
        _show_reliability(findings, result)
    show_finding_sets(run, result.name)


def _show_reliability(findings: RunFindings, result: FindingResult) -> None:
    st.markdown(
        _(
            "Of images with a probability of 80 %, about 80 of 100 should have "
            "{finding}: points on the dotted line. Above it the model is "
            "under-confident, below it over-confident.",
            finding=plain(result.name),
        ),
        help=meaning("calibration"),
    )
    bins = reliability_diagram(_as_shown(findings, result.decision), FINDING)
    claim = _("it has {finding}", finding=result.name)
    show_figure(
        figures.reliability_figure(bins, _colour(findings, result), claim),
        "reliability",
        _("Reliability diagram with the number of images at every point"),
    )
    how = (
        _(
            "Calibrated: log-odds are divided by a temperature of "
            "{temperature:.2f}, fitted on validation images.",
            temperature=result.decision.temperature,
        )
        if result.decision.calibrated
        else _(
            "Not calibrated: validation images do not tell the temperature well enough."
        )
    )
    numbers = _(
        "Expected calibration error {error}, Brier score {brier}; n = {images:,} "
        "images. Numbers beside the points count images; bars, where there are "
        "enough, are 95 % intervals of the share.",
        error=result.calibration_error,
        brier=result.brier,
        images=result.images,
    )
    st.caption(
        plain(join_sentences([how, numbers])),
        help=meaning("expected calibration error (ECE)", "Brier score"),
    )


def _say_too_few(result: FindingResult) -> bool:
    """Says that no curve is drawn where so few images have the finding, or lack it."""
    others = result.images - result.positives
    if min(result.positives, others) >= FEWEST:
        return False
    st.info(
        _(
            "Too few for curves: test images with {finding}: {positive:,}, without "
            "it: {others:,}; {least} of each are the least.",
            finding=plain(result.name),
            positive=result.positives,
            others=others,
            least=FEWEST,
        ),
        icon=":material/info:",
    )
    return True


def _beside(result: FindingResult, roc: ThresholdCurve, decided: bool) -> str:
    sentences = [
        _(
            "n = {positive:,} images with the finding, {others:,} without; dotted: "
            "guessing.",
            positive=result.positives,
            others=result.images - result.positives,
        ),
        _("Bands are pointwise 95 % intervals.")
        if roc.too_few is None
        else _("No bands: {few}.", few=too_few(roc.too_few)),
    ]
    if decided:
        sentences.append(_("The dot is the threshold from validation images."))
    return join_sentences(sentences)


def _as_shown(findings: RunFindings, decision: Decision) -> Predictions:
    data = finding_predictions(findings.table, decision.name, "test")
    return calibrate(data, decision.temperature)


def _colour(findings: RunFindings, result: FindingResult) -> str:
    names = [each.name for each in findings.decisions]
    return plots.class_colours(names)[result.name]


def _points(curve: ThresholdCurve, x: str, y: str) -> pd.DataFrame:
    return pd.DataFrame({x: curve.x, y: curve.y, _("threshold"): curve.thresholds})
