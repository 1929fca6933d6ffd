"""Curves of the compared models, over each other."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.evaluation.metrics.curves import ThresholdCurve
from medmodel.language import _
from medmodel.reports import comparison_figures
from medmodel.runs import run_table
from medmodel.runs.run import Run
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison import comparison_cache

PICKER = 320
"""Width in pixels of a field for one choice."""


def show_curves(runs: dict[str, Run], chosen: comparison_cache.Chosen) -> None:
    """ROC and precision–recall curves of a class, all models over each other."""
    first = next(iter(comparison_cache.common(chosen).models.values()))
    position = st.selectbox(
        _("Curves of"),
        range(len(first.classes)),
        index=1 if len(first.classes) == 2 else 0,
        format_func=lambda at: first.classes[at],
        key="compared-class",
        width=PICKER,
    )
    name, share = first.classes[position], float((first.truth == position).mean())
    with errors_shown():
        curves = comparison_cache.curves(chosen, position)
        by_model = comparison_cache.class_metrics(chosen, position)
        roc = {title: pair[0] for title, pair in curves.items()}
        precision = {title: pair[1] for title, pair in curves.items()}
        areas = {title: metrics["auc"] for title, metrics in by_model.items()}
        means = {title: m["average_precision"] for title, m in by_model.items()}
        run = next(iter(runs.values()))
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown(
                _("**ROC curves**, with the area under each (AUC)"),
                help=meaning("ROC curve", "AUC"),
            )
            show_figure(
                comparison_figures.roc_overlay(roc, areas),
                key="roc-compared",
                alt=_("ROC curves of {name} by every model", name=name),
            )
            table = _curves_csv(roc, _("1-specificity"), _("sensitivity"))
            csv_button(table, "roc-compared", run)
        with right:
            st.markdown(
                _("**Precision–recall curves**, with average precision (AP)"),
                help=meaning("precision–recall curve", "average precision"),
            )
            show_figure(
                comparison_figures.precision_recall_overlay(precision, means, share),
                key="precision-recall-compared",
                alt=_("Precision–recall curves of {name} by every model", name=name),
            )
            table = _curves_csv(precision, _("recall"), _("precision"))
            csv_button(table, "precision-recall-compared", run)
    n = len(first.truth)
    st.caption(
        _(
            "{images:,} common images, {positive:,.0f} of them {name}. Intervals and "
            "bands (of up to three models, where images are enough) are 95 %; dotted: "
            "guessing.",
            images=n,
            positive=share * n,
            name=plain(name),
        )
    )


def _curves_csv(curves: dict[str, ThresholdCurve], x: str, y: str) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                _("model"): name,
                x: curve.x,
                y: curve.y,
                _("threshold"): curve.thresholds,
            }
        )
        for name, curve in curves.items()
    ]
    return pd.concat(tables, ignore_index=True)


def show_epochs(runs: dict[str, Run]) -> None:
    st.markdown(_("**While they were trained**; a ring marks the epoch that was kept"))
    histories = {name: run_table.epochs(run) for name, run in runs.items()}
    for place, column in zip(st.columns(2), ("val_loss", "val_accuracy"), strict=True):
        with place:
            show_figure(
                comparison_figures.epochs_figure(histories, column),
                key=f"epochs-{column}",
                alt=_("Validation loss of every model over its epochs")
                if column == "val_loss"
                else _("Validation accuracy of every model over its epochs"),
            )
    columns = ["epoch", "val_loss", "val_accuracy", "best"]
    tables = [rows[columns].assign(model=name) for name, rows in histories.items()]
    table = pd.concat(tables, ignore_index=True)[["model", *columns]]
    table = table.rename(columns={"best": "kept"})
    csv_button(table, "epochs-compared", next(iter(runs.values())))
