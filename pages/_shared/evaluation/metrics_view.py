"""Every metric with its interval and its n, overall and class by class."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.groups.subgroups import ALL, Subgroup
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
    overall_metrics,
)
from medmodel.language import N_, _
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.evaluation.cross_validation_view import show_repeats
from pages._shared.evaluation.evaluation_view import show_classes

_VALUE = N_("Value (95 % interval)")
_COUNT = st.column_config.NumberColumn(format="localized")


def show_metrics(run: Run, group: Subgroup) -> None:
    """Every metric for what is chosen, one line per class."""
    evaluation = run_cache.evaluation(run, group)
    classes = [result.name for result in evaluation.per_class if result.images]
    positive = positive_class(run, evaluation.classes)
    of_two = positive is not None and positive.name in classes
    choice = st.selectbox(
        _("Every metric of"),
        ["", *classes],
        index=1 + classes.index(positive.name) if positive and of_two else 0,
        format_func=lambda name: (
            _("{name}, against the rest", name=name)
            if name
            else _("All classes together (macro-averaged where a mean is taken)")
        ),
        key=f"metrics-of-{positive.name if positive else ''}",
        help=meaning("macro-averaged", "interval"),
    )
    of_all = _metrics(run, choice)
    table = _table(of_all, whole=not choice)
    if group != ALL:
        of_some = _metrics(run, choice, group)
        table.insert(1, _("These images"), [str(e) for e in of_some.values()])
        table.insert(2, _("Of these images"), [e.n for e in of_some.values()])
        table = table.rename(columns={_(_VALUE): _("All test images")})
    show_table(
        table,
        hide_index=True,
        height="content",
        column_config=dict.fromkeys((_("Images"), _("Of these images")), _COUNT),
        alt=_("Every metric with its interval and number of images"),
    )
    if group == ALL:
        csv_button(lambda: all_metrics(run), "metrics", run, _("CSV of all classes"))
    else:
        csv_button(table, "metrics-of-some", run)
    show_classes(evaluation)
    show_repeats(run)


def _metrics(run: Run, name: str, group: Subgroup = ALL) -> dict[str, Estimate]:
    if not name:
        return run_cache.overall(run, group)
    return run_cache.of_class(run, run_cache.split(run).classes.index(name), group)


def all_metrics(run: Run) -> pd.DataFrame:
    """Columns `class, metric, value, low, high, n_images`; class "" is overall.

    `copies_in_the_test` says in each row what is known of copies.

    Of two classes the positive one comes first, then what is macro-averaged.

    Where test images are copies of training or validation images, the numbers are
    without them, and those with them stand in `value_with_copies` and the like.
    """
    classes = run_cache.split(run).classes
    order = _class_order(run, classes)
    each = {name: run_cache.of_class(run, at) for at, name in enumerate(classes)}
    rows = _rows({name: each.get(name, run_cache.overall(run)) for name in order})
    copies = run_cache.copies(run)
    rows = rows.assign(**{_("copies_in_the_test"): str(copies)})
    if not copies.paths or copies.all_are_copies:
        return rows
    data = run_cache.split_with_copies(run)
    each = {name: class_metrics(data, at) for at, name in enumerate(classes)}
    whole = overall_metrics(data)
    beside = _rows({name: each.get(name, whole) for name in order})
    beside = beside.iloc[:, 2:].set_axis(
        [
            _("value_with_copies"),
            _("low_with_copies"),
            _("high_with_copies"),
            _("n_images_with_copies"),
        ],
        axis="columns",
    )
    return rows.join(beside)


def _class_order(run: Run, classes: list[str]) -> list[str]:
    """The positive class first, if there is one, then "" for all classes together."""
    positive = positive_class(run, classes)
    first = [positive.name] if positive else []
    return list(dict.fromkeys([*first, "", *classes]))


def _rows(by_class: dict[str, dict[str, Estimate]]) -> pd.DataFrame:
    rows = [
        (name, _title(key, whole=not name), e.value, *e.ends, e.n)
        for name, metrics in by_class.items()
        for key, e in metrics.items()
    ]
    columns = [_("class"), _("metric"), _("value"), _("low"), _("high"), _("n_images")]
    return pd.DataFrame(rows, columns=columns)


def _title(key: str, whole: bool) -> str:
    metric = METRICS[key]
    return _(metric.overall_title) if whole else _(metric.title)


def _table(metrics: dict[str, Estimate], whole: bool) -> pd.DataFrame:
    shown = [METRICS[key] for key in metrics]
    return pd.DataFrame(
        {
            _("Metric"): [_title(key, whole) for key in metrics],
            _(_VALUE): [str(e) for e in metrics.values()],
            _("Images"): [e.n for e in metrics.values()],
            _("Better"): [
                _("lower") if m.lower_is_better else _("higher") for m in shown
            ],
            _("What it is"): [_(m.meaning) for m in shown],
        }
    )
