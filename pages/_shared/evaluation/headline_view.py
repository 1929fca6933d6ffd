"""Headline numbers of an evaluation beside its confusion matrix, on one screen."""

from __future__ import annotations

import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import value_or_problem
from medmodel.evaluation.decision.decision_threshold import threshold_effect
from medmodel.evaluation.decision.positive_class import choose_positive, positive_class
from medmodel.evaluation.decision.predicted_class import decision_threshold
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.groups.subgroups import ALL, Subgroup
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import N_, _
from medmodel.reports import plots
from medmodel.reports.glossary import METRIC_TERMS
from medmodel.reports.run_facts import POSITIVE_METRICS
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.words import plain

Tile = tuple[str, Estimate, str]
"""Title, estimate, and what it means."""
_SHORT = {
    "ppv": N_("PPV (precision)"),
    "npv": N_("NPV"),
    "sensitivity": N_("Sensitivity"),
}
_MATRIX_WIDTH = 760
_TILE = 140
"""Pixels of a metric with its interval, before it is drawn, too."""


def show_headline(run: Run, group: Subgroup = ALL) -> None:
    """The headline numbers beside the confusion matrix."""
    evaluation = run_cache.evaluation(run, group)
    numbers, matrix = st.columns([1.15, 1], gap="medium")
    with matrix:
        if len(evaluation.classes) == 2:
            _ask_positive(run, evaluation)
        with st.container(width=_MATRIX_WIDTH):
            show_figure(
                plots.confusion_figure(evaluation.classes, evaluation.confusion),
                key="confusion",
                alt=_(
                    "Confusion matrix: true classes in rows, predicted ones in columns"
                ),
            )
    with numbers:
        show_numbers(run, group)


def show_numbers(run: Run, group: Subgroup = ALL) -> None:
    """What matters most: of two classes the metrics of the positive one first."""
    evaluation = run_cache.evaluation(run, group)
    positive = positive_class(run, evaluation.classes)
    tiles, rest = _overall_tiles(evaluation), []
    if positive is not None:
        rest = [tiles[0], tiles[2]]
        tiles = _positive_tiles(run, positive.position, group)
    for start in range(0, len(tiles), 2):
        pair = tiles[start : start + 2]
        for column, tile in zip(st.columns(2), pair, strict=False):
            with column:
                _show_tile(*tile)
    for name, estimate, entry in rest:
        st.markdown(plain(f"{name} {estimate.with_n}"), help=entry)
    validation, _problem = value_or_problem(run_cache.split, run, "val")
    part, threshold = run_cache.part_of(run, group), decision_threshold(run)
    effect = threshold_effect(part, validation, threshold)
    if effect is not None:
        st.markdown(plain(effect), help=meaning("threshold", "balanced accuracy"))


def _ask_positive(run: Run, evaluation: Evaluation) -> None:
    """Asks for the positive class; says where it was only guessed."""
    positive = positive_class(run, evaluation.classes)
    guessed = positive is not None and positive.guessed
    title = _("Positive class")
    if guessed:
        title = _("Positive class (guessed from the class names)")
    chosen = one_of(
        title,
        evaluation.classes,
        default=positive.name if positive else None,
        format_func=legible(plain),
        key=f"positive-{run.id}",
        help=_(
            "The class that a positive answer stands for, usually the finding. "
            "Sensitivity, specificity, PPV and NPV are about it, here and in "
            "the reports."
        ),
    )
    if chosen is not None and (positive is None or chosen != positive.name):
        choose_positive(run, chosen)
        audit.record("positive_class", run=run.id)
        st.rerun()
    if positive is None:
        st.caption(_("Choose which class is the finding: the names do not tell."))


def _positive_tiles(run: Run, position: int, group: Subgroup) -> list[Tile]:
    metrics = run_cache.of_class(run, position, group)
    return [
        (_(_SHORT.get(key, METRICS[key].title)), metrics[key], _entry(key))
        for key in POSITIVE_METRICS
    ]


def _entry(key: str) -> str:
    """What a metric and its interval are."""
    return meaning(METRIC_TERMS[key], "interval")


def _overall_tiles(evaluation: Evaluation) -> list[Tile]:
    several = len(evaluation.classes) > 2
    accuracy = (_("Accuracy"), evaluation.accuracy, _entry("accuracy"))
    area = (_("AUC"), evaluation.auc, _entry("auc"))
    if several:
        entry = meaning("AUC", "macro-averaged", "interval")
        area = (_("AUC, macro-averaged"), evaluation.auc, entry)
    balanced = (
        _("Balanced accuracy"),
        evaluation.balanced_accuracy,
        _entry("balanced_accuracy"),
    )
    always = _(
        "{baseline}: its accuracy is what a model must beat.",
        baseline=plain(evaluation.baseline_name),
    )
    entries = meaning("majority class", "interval")
    baseline = (_("Baseline"), evaluation.baseline, f"{always}\n\n{entries}")
    return [accuracy, balanced, area, baseline]


def _show_tile(title: str, estimate: Estimate, entry: str) -> None:
    """Value large, interval and n below; a value that rests on few is not large."""
    if estimate.has_interval:
        # No heading: a screen reader would list the values as the page's parts.
        st.metric(
            plain(title),
            f"{estimate.value:.3f}",
            # Of what, stands above: a tile on a projector has no room for it.
            _(
                "{low:.3f}–{high:.3f}, n = {count:,}",
                low=estimate.low,
                high=estimate.high,
                count=estimate.n,
            ),
            delta_color="off",
            delta_arrow="off",
            help=entry,
            border=True,
            height=_TILE,
        )
        return
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.markdown(plain(title), help=entry)
        st.markdown(f":material/warning: {plain(estimate)}")
