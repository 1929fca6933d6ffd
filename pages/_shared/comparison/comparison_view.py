"""Models side by side: metrics, tests, curves, settings, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.data.sample_size import test_warnings
from medmodel.evaluation.comparison.model_comparison import (
    COMPARED,
    CommonImages,
    PairedDifference,
    why_not_told,
)
from medmodel.evaluation.comparison.paired_tests import correction
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.intervals.minima import MINIMA
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _, join_sentences, translate
from medmodel.reports import comparison_figures
from medmodel.reports.run_facts import few_patients, training_size_warnings
from medmodel.runs import run_table
from medmodel.runs.copies import compared_copies, pooled_copies
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.setting_words import setting_text, setting_title
from pages._shared.common import run_cache, widgets
from pages._shared.common.answer import show_answer
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import MARK, show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison import comparison_cache
from pages._shared.comparison.compared_curves_view import (
    PICKER,
    show_curves,
)
from pages._shared.comparison.disagreement_view import show_disagreements

_FIRST_METRICS = ("accuracy", "auc", "balanced_accuracy")


def show_comparison(models: comparison_cache.Models) -> None:
    """How two models or more answer the same test images."""
    runs = {name: runs[0] for name, runs in models.items()}
    chosen = comparison_cache.chosen(models)
    with errors_shown():
        common = comparison_cache.common(chosen)
        copied = any(run_cache.copies(r).paths for rs in models.values() for r in rs)
        _show_metric(runs, chosen)
        st.markdown(
            _(
                "**{common}** Only these are compared, image by image.",
                common=plain(common),
            )
        )
        _show_sample_size(common, models)
        explain_folds(models)
        show_copies(models, in_table=True)
        _show_all_metrics(models, chosen, copied)
        show_disagreements(models, chosen)
        show_curves(runs, chosen)


def _show_sample_size(common: CommonImages, models: comparison_cache.Models) -> None:
    """What there are too few images for, as Evaluate says it of a single run."""
    model = next(iter(common.models.values()))
    images = np.bincount(model.truth, minlength=len(model.classes)).tolist()
    counts = zip(model.classes, images, strict=True)
    few = test_warnings({name: {"test": count} for name, count in counts})
    if 0 < model.patient_count < MINIMA["accuracy"].patients:
        few.append(few_patients(model.patient_count))
    few += _too_few_to_train(models)
    if few:
        st.warning(plain(join_sentences(few)), icon=":material/warning:")


def _too_few_to_train(models: comparison_cache.Models) -> list[str]:
    """What the models' own data sets are too small for, with the models' names."""
    names: dict[str, list[str]] = {}
    for name, runs in models.items():
        said: list[str] = []
        for run in runs:
            counts, problem = value_or_problem(run_cache.class_counts, run)
            if problem:
                said.append(translate(problem))
                continue
            said += training_size_warnings(run, run_cache.evaluation(run), counts or {})
        for sentence in dict.fromkeys(said):
            names.setdefault(sentence, []).append(name)
    return [
        sentence
        if len(of) == len(models)
        else _("{models}: {sentence}", models="; ".join(of), sentence=sentence)
        for sentence, of in names.items()
    ]


def show_copies(models: comparison_cache.Models, in_table: bool = False) -> None:
    """How many test images are copies, which are left out.

    Args:
        models: What is compared.
        in_table: Whether a table below has the numbers with them too.
    """
    said = compared_copies(
        {name: [run_cache.copies(run) for run in runs] for name, runs in models.items()}
    )
    if said.left_out:
        more = _("The table of every metric shows the numbers with them too.")
        sentences = [said.left_out, *([more] if in_table else [])]
        st.warning(plain(join_sentences(sentences)), icon=":material/warning:")
    if said.remembered:
        st.warning(plain(said.remembered), icon=":material/warning:")
    for sentence in said.unknown:
        st.caption(plain(sentence))


def explain_folds(models: comparison_cache.Models) -> None:
    """What is compared where a model is a whole cross-validation."""
    names = [name for name, runs in models.items() if len(runs) > 1]
    if names:
        st.caption(
            _(
                "{models}: each image as predicted by the fold's model that had not "
                "seen it. That compares ways of training more than single models, "
                "and the tests do not know how another deal of folds would end.",
                models=plain("; ".join(names)),
            )
        )


def _show_metric(runs: dict[str, Run], chosen: comparison_cache.Chosen) -> None:
    order = [*_FIRST_METRICS, *(m for m in COMPARED if m not in _FIRST_METRICS)]
    answer = st.container()
    metric = st.selectbox(
        _("Compare by"),
        order,
        format_func=_metric_title,
        key="compared-metric",
        width=PICKER,
        help=meaning("paired test", "interval"),
    )
    estimates = {
        name: m[metric] for name, m in comparison_cache.metrics(chosen).items()
    }
    with st.spinner(_("Testing …"), show_time=False):
        pairs = comparison_cache.differences(chosen, metric)
    with answer:
        _show_sentences(pairs)
    show_figure(
        comparison_figures.intervals_figure(
            estimates, _(METRICS[metric].overall_title)
        ),
        key="intervals",
        alt="; ".join(f"{name}: {e}" for name, e in estimates.items()),
    )
    table = _pairs_table(pairs)
    show_table(table, hide_index=True, height="content", alt=_("Every pair's test"))
    if said := correction(pairs):
        st.caption(said)
    explain_borderline(pairs)
    csv_button(table, f"differences-{metric}", next(iter(runs.values())))


def explain_borderline(pairs: Iterable[PairedDifference]) -> None:
    """Why a pair is not told apart though p value or interval alone would do it."""
    if any(pair.is_borderline for pair in pairs):
        st.caption(
            _(
                "p value and interval are calculated by different methods, and near "
                "the limit they may disagree: a difference is called significant only "
                "where p is at most 0.05 and the interval excludes 0."
            )
        )


def _metric_title(key: str) -> str:
    title = _(METRICS[key].overall_title)
    if METRICS[key].lower_is_better:
        return _("{metric}, lower is better", metric=title)
    return title


def _show_sentences(pairs: Sequence[PairedDifference]) -> None:
    """What the tests say: of one pair large, of several those that can be told."""
    if len(pairs) == 1:
        show_answer(str(pairs[0]))
        return
    beaten: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.better:
            by = plain(_("{model} by {size}", model=pair.worse, size=pair.size))
            beaten.setdefault(pair.better, []).append(by)
    # Who is better than most comes first.
    winners = sorted(beaten.items(), key=lambda item: -len(item[1]))
    lines = [
        _(
            "* **{model} is better than {others}.**",
            model=plain(name),
            others="; ".join(others),
        )
        for name, others in winners
    ]
    tested = [pair for pair in pairs if pair.estimate.has_interval]
    rest = sum(not pair.better for pair in tested)
    n = tested[0].estimate.n if tested else 0
    if rest == len(pairs):
        lines.append(
            _("* No pair is significantly different (n \\= {n:,} images).", n=n)
        )
    elif rest:
        lines.append(
            _(
                "* {rest} of {pairs} pairs are not significantly different "
                "(n \\= {n:,} images).",
                rest=rest,
                pairs=len(pairs),
                n=n,
            )
        )
    if len(tested) < len(pairs):
        lines.append(
            _(
                "* {rest} of {pairs} pairs cannot be told apart: {reasons}.",
                rest=len(pairs) - len(tested),
                pairs=len(pairs),
                reasons=plain(why_not_told(pairs)),
            )
        )
    st.markdown("\n".join(lines))


def _pairs_table(pairs: Sequence[PairedDifference]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            _("Model A"): [pair.first for pair in pairs],
            _("Model B"): [pair.second for pair in pairs],
            _("Difference (95 % interval)"): [signed(pair.estimate) for pair in pairs],
            "p": [p.p_text.removeprefix("p ").removeprefix("= ") for p in pairs],
            _("Statistical test"): [_(pair.test) for pair in pairs],
            _("Images"): [pair.estimate.n for pair in pairs],
            _("Images needed"): [
                f"{pair.needed:,}" if pair.needed and not pair.better else "–"
                for pair in pairs
            ],
        }
    )


def signed(estimate: Estimate) -> str:
    """A difference with its interval, and a minus where it is below 0."""
    if not estimate.has_interval:
        return str(estimate).replace("-", "−")
    text = _(
        "{value:.3f} ({low:.3f} to {high:.3f})",
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
    )
    return text.replace("-", "−")


def _show_all_metrics(
    models: comparison_cache.Models, chosen: comparison_cache.Chosen, copied: bool
) -> None:
    known = {name: _copies_sentences(runs) for name, runs in models.items()}
    with st.expander(_("Every metric side by side"), icon=":material/table:"):
        by_model = comparison_cache.metrics(chosen)
        titles = [_(metric.overall_title) for metric in METRICS.values()]
        table = pd.DataFrame({_("Metric"): titles})
        for name, metrics in by_model.items():
            table[f"{name} "] = [str(metrics[key]) for key in METRICS]
        beside, unknown = (
            comparison_cache.metrics_with_copies(chosen) if copied else ({}, "")
        )
        for name, metrics in beside.items():
            title = _("{model}, with copies", model=name)
            table[f"{title} "] = [str(metrics[key]) for key in METRICS]
        show_table(table, hide_index=True, height="content")
        images = len(comparison_cache.common(chosen).paths)
        st.caption(
            _(
                "n = {images:,} images; 95 % intervals. Separate intervals may overlap "
                "where the paired test above still sees a difference.",
                images=images,
            )
        )
        if unknown:
            st.caption(plain(translate(unknown)))
        csv_button(
            pd.concat(
                [
                    _metrics_csv(by_model, known),
                    _metrics_csv(
                        {
                            _("{model}, with copies", model=name): metrics
                            for name, metrics in beside.items()
                        },
                        {},
                    ),
                ]
            ),
            "metrics-compared",
            next(iter(models.values()))[0],
        )


def _copies_sentences(runs: Sequence[Run]) -> str:
    """What is known of copies among the test images of a model, or of its folds."""
    of_folds = [run_cache.copies(run) for run in runs]
    pooled = pooled_copies(of_folds)
    unknown = dict.fromkeys(copies.unknown for copies in of_folds)
    return join_sentences([str(pooled), *(u for u in unknown if u != pooled.unknown)])


def _metrics_csv(
    by_model: dict[str, dict[str, Estimate]], copies: dict[str, str]
) -> pd.DataFrame:
    """One row for each metric of each model.

    Args:
        by_model: Name -> metrics.
        copies: Name -> what is known of copies among the test images.
    """
    rows = [
        (
            *(name, _(METRICS[key].overall_title), e.value, *e.ends, e.n),
            copies.get(name, ""),
        )
        for name, metrics in by_model.items()
        for key, e in metrics.items()
    ]
    columns = [
        *(_("model"), _("metric"), _("value"), _("low"), _("high"), _("n_images")),
        _("copies_in_the_test"),
    ]
    return pd.DataFrame(rows, columns=columns)


def show_settings(entries: Sequence[Entry], names: dict[str, str]) -> None:
    """The settings in which the runs differ.

    Args:
        entries: The runs.
        names: Id of each -> what it is called on this page.
    """
    st.markdown(_("**Settings that differ**"))
    differing = run_table.differing_settings([e.config for e in entries])
    if "dataset" in differing:
        differing["dataset"] = [widgets.folder_name(f) for f in differing["dataset"]]
    if not differing:
        st.caption(_("None."))
        return
    table = pd.DataFrame({_("Setting"): [_(setting_title(name)) for name in differing]})
    for at, entry in enumerate(entries):
        texts = [setting_text(name, v[at]) for name, v in differing.items()]
        table[f"{names[entry.run.id]} "] = texts
    show_table(_marked(table), hide_index=True, height="content")
    st.caption(_("Marked: unlike the first run."))
    csv_button(table, "settings-compared", entries[0].run)


def _marked(table: pd.DataFrame) -> Any:
    styles = pd.DataFrame("", index=table.index, columns=table.columns)
    for name in table.columns[2:]:
        styles.loc[table[name] != table.iloc[:, 1], name] = MARK
    return table.style.apply(lambda table: styles, axis=None)
