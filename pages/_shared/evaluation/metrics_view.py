"""Every metric with its interval and its n, overall and class by class."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.metrics import METRICS, class_metrics, overall_metrics
from medmodel.evaluation.subgroups import ALL, Subgroup
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.downloads import csv_button
from pages._shared.evaluation.cross_validation_view import show_repeats
from pages._shared.evaluation.evaluation_view import show_classes, show_numbers

_VALUE = "Value (95 % interval)"
_COUNT = st.column_config.NumberColumn(format="localized")


def show_metrics(run: Run, group: Subgroup) -> None:
    """Tiles, a table of all metrics for what is chosen, one line per class."""
    evaluation = run_cache.evaluation(run, group)
    show_numbers(evaluation)
    classes = [result.name for result in evaluation.per_class if result.images]
    choice = st.selectbox(
        "Every metric of",
        ["", *classes],
        format_func=lambda name: (
            f"{name}, against the rest" if name else "All classes together (means)"
        ),
        key="metrics-of",
    )
    of_all = _metrics(run, choice)
    table = _table(of_all)
    if group != ALL:
        of_some = _metrics(run, choice, group)
        table.insert(1, "These images", [str(e) for e in of_some.values()])
        table.insert(2, "n of these", [e.n for e in of_some.values()])
        table = table.rename(columns={_VALUE: "All test images"})
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config=dict.fromkeys(("n", "n of these"), _COUNT),
        alt="Every metric with its interval and number of images",
    )
    if group == ALL:
        csv_button(lambda: all_metrics(run), "metrics", run, "CSV of all classes")
    else:
        csv_button(table, "metrics-of-some", run)
    show_classes(evaluation)
    show_repeats(run)


def _metrics(run: Run, name: str, group: Subgroup = ALL) -> dict[str, Estimate]:
    if not name:
        return run_cache.overall(run, group)
    return run_cache.of_class(run, run_cache.split(run).classes.index(name), group)


def all_metrics(run: Run) -> pd.DataFrame:
    """Columns `class, metric, value, low, high, n`; class "" is overall.

    Where test images are copies of training or validation images, the numbers are
    without them, and those with them stand in `value_with_copies` and the like.
    """
    classes = run_cache.split(run).classes
    rows = _rows(
        classes,
        run_cache.overall(run),
        [run_cache.of_class(run, at) for at in range(len(classes))],
    )
    copies = run_cache.copies(run)
    if run.tested_model or not copies.paths or copies.all_are_copies:
        return rows
    data = run_cache.split_with_copies(run)
    of_classes = [class_metrics(data, at) for at in range(len(classes))]
    beside = _rows(classes, overall_metrics(data), of_classes)
    return rows.join(beside[["value", "low", "high", "n"]].add_suffix("_with_copies"))


def _rows(
    classes: list[str],
    overall: dict[str, Estimate],
    of_classes: list[dict[str, Estimate]],
) -> pd.DataFrame:
    groups = zip(["", *classes], [overall, *of_classes], strict=True)
    rows = [
        (name, METRICS[key].title, e.value, *e.ends, e.n)
        for name, metrics in groups
        for key, e in metrics.items()
    ]
    columns = ["class", "metric", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _table(metrics: dict[str, Estimate]) -> pd.DataFrame:
    shown = [METRICS[key] for key in metrics]
    return pd.DataFrame(
        {
            "Metric": [m.title for m in shown],
            _VALUE: [str(e) for e in metrics.values()],
            "n": [e.n for e in metrics.values()],
            "Better": ["lower" if m.lower_is_better else "higher" for m in shown],
            "What it is": [m.meaning for m in shown],
        }
    )
