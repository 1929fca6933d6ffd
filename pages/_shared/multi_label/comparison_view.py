"""Models of several findings side by side: paired tests of AUC, curves, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core.errors import DataError
from medmodel.evaluation import cross_validation
from medmodel.evaluation.comparison.model_comparison import PairedDifference
from medmodel.evaluation.comparison.paired_tests import correction
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import MINIMA
from medmodel.evaluation.metrics.curves import precision_recall_curve, roc_curve
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.multi_label import comparison
from medmodel.evaluation.multi_label.comparison import CommonFindings
from medmodel.evaluation.multi_label.finding_results import FINDING
from medmodel.language import _, join_sentences, ngettext
from medmodel.reports import comparison_figures
from medmodel.reports.run_facts import few_patients
from medmodel.runs.run import Run
from pages._shared.common.answer import show_answer
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison.comparison_view import (
    explain_borderline,
    explain_folds,
    show_copies,
    signed,
)
from pages._shared.multi_label.evaluation_cache import findings_version

Chosen = tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...]
"""Name, folders and versions of the answers of each model."""
Pairs = Mapping[str, Sequence[PairedDifference]]
Areas = Mapping[str, Mapping[str, Estimate]]


def show_compared_findings(models: cross_validation.Models) -> None:
    """How two models or more of several findings answer the same test images."""
    runs = {name: of_model[0] for name, of_model in models.items()}
    with errors_shown():
        compared = chosen(models)
        common = common_of(compared)
        means, pairs = tested(compared)
        _show_means(means)
        st.markdown(
            _(
                "**{common}** Only these are compared, image by image.",
                common=plain(common),
            )
        )
        _show_sample_size(common)
        explain_folds(models)
        show_copies(models)
        _show_findings(areas_of(compared)[0], pairs, next(iter(runs.values())))
        _show_curves(common)


def chosen(models: cross_validation.Models) -> Chosen:
    """What `common_of` and `tested` take."""
    return tuple(
        (
            name,
            tuple(str(run.folder) for run in runs),
            tuple(map(findings_version, runs)),
        )
        for name, runs in models.items()
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def common_of(models: Chosen) -> CommonFindings:
    """Their common test images; shared, never to be changed."""
    runs = {name: [Run(Path(f)) for f in folders] for name, folders, _v in models}
    return comparison.common_of_models(runs)


@st.cache_resource(max_entries=16, show_spinner=False)
def tested(models: Chosen) -> tuple[list[PairedDifference], Pairs]:
    """The tests of the mean AUC, and those of each finding."""
    common = common_of(models)
    return comparison.compare_means(common), comparison.compare_findings(common)


@st.cache_resource(max_entries=16, show_spinner=False)
def areas_of(models: Chosen) -> tuple[Areas, dict[str, Estimate]]:
    """The AUC of each finding by every model, and the mean of every model."""
    common = common_of(models)
    return comparison.areas(common), comparison.mean_areas(common)


def _show_means(means: Sequence[PairedDifference]) -> None:
    """What the paired tests of the mean over the findings say."""
    if len(means) == 1:
        show_answer(_("Mean AUC: {sentence}", sentence=str(means[0])))
        return
    st.markdown(_("**Mean AUC of the findings**"))
    st.markdown("\n".join(f"* {plain(str(pair))}" for pair in means))
    if said := correction(means):
        st.caption(said)


def _show_sample_size(common: CommonFindings) -> None:
    """Which findings cannot be compared, and that there are few patients."""
    few = []
    absent = [
        name
        for name in common.findings
        if len(set(common.of_finding(name).models[_first(common)].truth.tolist())) < 2
    ]
    if absent:
        few.append(
            _(
                "All common test images, or none, have {findings}: nothing can be "
                "compared there, and the mean leaves them out.",
                findings=_(", ").join(absent),
            )
        )
    patients = common.of_finding(common.findings[0]).models[_first(common)]
    if 0 < patients.patient_count < MINIMA["auc"].patients:
        few.append(few_patients(patients.patient_count))
    if few:
        st.warning(plain(join_sentences(few)), icon=":material/warning:")


def _first(common: CommonFindings) -> str:
    return next(iter(common.tables))


def _show_findings(areas: Areas, pairs: Pairs, run: Run) -> None:
    """The AUC of every model, and every pair's test, finding by finding."""
    table = pd.DataFrame({_("Image finding"): list(areas)})
    for name in next(iter(areas.values())):
        table[f"{name} "] = [str(of_models[name]) for of_models in areas.values()]
    st.markdown(_("**AUC of each finding**"), help=meaning("AUC", "interval"))
    show_table(
        table, hide_index=True, height="content", alt=_("AUC of each finding and model")
    )
    tests = _tests_table(pairs)
    st.markdown(
        _("**Paired differences, finding by finding**"), help=meaning("paired test")
    )
    show_table(tests, hide_index=True, height="content", alt=_("Every pair's test"))
    tested = sum(e.estimate.has_interval for of in pairs.values() for e in of)
    sentences = [
        _(
            "DeLong's paired test on the same images; where patients are known, their "
            "images count together."
        )
    ]
    if tested > 1:
        sentences.append(
            _(
                "p values of the findings are corrected for all {count} tests (Holm).",
                count=tested,
            )
        )
    st.caption(join_sentences(sentences))
    explain_borderline(pair for of in pairs.values() for pair in of)
    csv_button(tests, "differences-findings", run)


def _tests_table(pairs: Pairs) -> pd.DataFrame:
    rows = [(name, pair) for name, of in pairs.items() for pair in of]
    return pd.DataFrame(
        {
            _("Image finding"): [name for name, _pair in rows],
            _("Model A"): [pair.first for _name, pair in rows],
            _("Model B"): [pair.second for _name, pair in rows],
            _("Difference in AUC (95 % interval)"): [
                signed(pair.estimate) for _name, pair in rows
            ],
            "p": [_p_of(pair) for _name, pair in rows],
            _("Better"): [pair.better or _("not told apart") for _name, pair in rows],
            _("Images"): [pair.estimate.n for _name, pair in rows],
        }
    )


def _p_of(pair: PairedDifference) -> str:
    """Nothing where the images are too few to tell the models apart."""
    if not pair.estimate.has_interval:
        return "–"
    return pair.p_text.removeprefix("p ").removeprefix("= ")


def _show_curves(common: CommonFindings) -> None:
    """ROC and precision–recall curves of one finding by every model."""
    name = st.selectbox(
        _("Image finding"),
        common.findings,
        key="evaluated-finding",
        persist_state="session",
        width=320,
    )
    models = common.of_finding(name).models
    try:
        roc = {model: roc_curve(data, FINDING) for model, data in models.items()}
        precision = {
            model: precision_recall_curve(data, FINDING)
            for model, data in models.items()
        }
    except DataError:  # all images have it, or none; which is said above
        st.caption(_("All common test images, or none, have this finding: no curve."))
        return
    areas, averages = (
        {m: METRICS[key].estimate(data, FINDING) for m, data in models.items()}
        for key in ("auc", "average_precision")
    )
    share = float((next(iter(models.values())).truth == FINDING).mean())
    left, right = st.columns(2, gap="large")
    with left:
        figure = comparison_figures.roc_overlay(roc, areas)
        show_figure(
            figure, "compared-roc", _("ROC curves of {name} by every model", name=name)
        )
    with right:
        figure = comparison_figures.precision_recall_overlay(precision, averages, share)
        alt = _("Precision–recall curves of {name} by every model", name=name)
        show_figure(figure, "compared-precision-recall", alt)
    positive = round(share * len(common.paths))
    st.caption(
        ngettext(
            "{count:,} of {images:,} common test images has {finding}.",
            "{count:,} of {images:,} common test images have {finding}.",
            positive,
            images=len(common.paths),
            finding=plain(name),
        )
    )
