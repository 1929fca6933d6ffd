"""Cross-validation of a run on several findings: AUC of each, out of fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.evaluation import cross_validation
from medmodel.evaluation.cross_validation import CrossValidation
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    finding_predictions,
    mean_area_of,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _, join_sentences
from medmodel.runs import run_index
from medmodel.runs.copies import independent_findings, pooled_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import finding_names
from pages._shared.common import run_cache, widgets
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.cross_validation_view import (
    copies_sentence,
    folds_that_count,
    offer_folds,
    pooled_meaning,
    show_waiting,
    spread_columns,
)
from pages._shared.multi_label.evaluation_cache import findings_version


def show_finding_folds(run: Run) -> None:
    """What the folds of these settings say together, and how to train them."""
    entries = run_index.entries(widgets.store())
    current = next((entry for entry in entries if entry.run.id == run.id), None)
    if current is None or run.tested_model:
        return
    st.markdown(_("**Cross-validation**"), help=meaning("cross-validation", "fold"))
    experiments = cross_validation.cross_validations(current, entries)
    for experiment in experiments:
        with errors_shown():
            _show_experiment(run, experiment)
    offer_folds(current, experiments)


def _show_experiment(run: Run, experiment: CrossValidation) -> None:
    folds, seed = experiment.folds, experiment.seed
    st.markdown(_("**{folds} folds, seed {seed}**", folds=folds, seed=seed))
    show_waiting(experiment.runs)
    if not experiment.complete:
        st.caption(
            _("What all folds say together stands here when every one has ended.")
        )
        return
    versions = tuple(
        (str(e.run.folder), findings_version(e.run)) for e in experiment.tested
    )
    table, areas, each = _pooled(versions)
    show_table(
        _areas_table(areas, each),
        hide_index=True,
        height="content",
        alt=_("AUC of each finding, out of fold, and its spread over the folds"),
    )
    first = finding_predictions(table, finding_names(table)[0], "test")
    left_out = _left_out(areas, each)
    st.caption(plain(join_sentences([pooled_meaning(experiment, first), *left_out])))
    copies = [run_cache.copies(entry.run) for entry in experiment.tested]
    pooled = pooled_copies(copies)
    if pooled.paths:
        warning = copies_sentence(pooled, copies)
        st.warning(plain(warning), icon=":material/warning:")
    name = f"out-of-fold-{folds}-seed-{seed}"
    csv_button(table, name, run, _("CSV of every image's out-of-fold scores"))


Areas = dict[str, Estimate]


@st.cache_resource(max_entries=8, show_spinner=False)
def _pooled(
    versions: tuple[tuple[str, int], ...],
) -> tuple[pd.DataFrame, Areas, list[dict[str, float]]]:
    """The out-of-fold table, the AUC of each finding in it, and those of every fold."""
    runs = [Run(Path(folder)) for folder, _version in versions]
    table = cross_validation.pooled_findings(runs)
    counting = folds_that_count([run_cache.copies(run) for run in runs])
    each = []
    for run in itertools.compress(runs, counting):
        areas = _areas(independent_findings(run))
        each.append({name: e.value for name, e in areas.items() if e.measurable})
    return table, _areas(table), each


def _areas(table: pd.DataFrame) -> Areas:
    """AUC of each finding, then that of their mean under the name ""."""
    data: dict[str, Predictions] = {
        name: finding_predictions(table, name, "test") for name in finding_names(table)
    }
    areas = {n: METRICS["auc"].estimate(d, FINDING) for n, d in data.items()}
    return {**areas, "": mean_area_of(list(data.values()))}


def _left_out(areas: Areas, each: Sequence[dict[str, float]]) -> list[str]:
    """Which findings lack a fold in their mean, as a sentence."""
    names = [n for n in areas if n and not all(n in of_fold for of_fold in each)]
    if not names:
        return []
    return [
        _(
            "Folds in which all test images have a finding, or none, are left out of "
            "its mean: {findings}.",
            findings=_(", ").join(names),
        )
    ]


def _areas_table(areas: Areas, each: Sequence[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            _("Image finding"): [name or _("Mean AUC") for name in areas],
            _("AUC of all images, out of fold (95 % interval)"): [
                str(area) for area in areas.values()
            ],
            **spread_columns(each, [*areas]),
        }
    )
