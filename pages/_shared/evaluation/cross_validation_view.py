"""The same settings again: with other seeds, or fold by fold over all images."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.core.config import TrainConfig
from medmodel.evaluation import cross_validation
from medmodel.evaluation.cross_validation import CrossValidation, RunsSummary
from medmodel.evaluation.metrics.metric_table import METRICS, overall_metrics
from medmodel.evaluation.predictions import Predictions, split_predictions
from medmodel.language import _, join_sentences, ngettext
from medmodel.runs import queue, run_index
from medmodel.runs.copies import Copies, pooled_copies, with_copies
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from pages._shared.common import run_cache, widgets
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible_label
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain


def show_repeats(run: Run) -> None:
    """What came out when these settings were trained again, and how to do so."""
    entries = run_index.entries(widgets.store())
    current = next((entry for entry in entries if entry.run.id == run.id), None)
    if current is None or run.tested_model:
        return
    st.markdown(
        _("**Variation between seeds and folds**"),
        help=meaning("cross-validation", "fold"),
    )
    seeds, folds = st.tabs(
        [legible_label(x) for x in (_("Other seeds"), _("Folds (cross-validation)"))]
    )
    with seeds:
        _show_seeds(current, cross_validation.repeats_of(current, entries))
    with folds:
        _show_folds(current, cross_validation.cross_validations(current, entries))


def _show_seeds(current: Entry, family: list[Entry]) -> None:
    measured = [e.test_accuracy for e in family if e.test_accuracy is not None]
    if len(measured) > 1:
        st.markdown(
            _(
                "Trained with {count} seeds and otherwise the same settings: "
                "accuracy {accuracy}.",
                count=len(measured),
                accuracy=plain(cross_validation.summarize(measured)),
            )
        )
    else:
        meaning = _(
            "Other seeds mean other initial weights, another order and, where the "
            "folders give no split, another split."
        )
        once = _("Trained once so far.")
        st.caption(f"{once} {meaning}" if family else meaning)
    show_waiting(family)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            _("Other seeds"), 1, cross_validation.MOST_REPEATS, 3, width=140
        )
        if st.button(_("Train them"), icon=":material/replay:"):
            seeds = [entry.config.seed for entry in family]
            single = cross_validation.fold_configs(current.config, 1)[0]
            _train(current, cross_validation.seed_configs(single, seeds, int(count)))
        if len(measured) > 1:
            chosen = [e.run.id for e in family if e.test_accuracy is not None][:6]
            if st.button(_("Compare them"), icon=":material/compare_arrows:"):
                params = {"runs": ",".join(chosen)}
                st.switch_page(widgets.COMPARE, query_params=params)


def _show_folds(current: Entry, experiments: list[CrossValidation]) -> None:
    if not experiments:
        st.caption(
            _(
                "The images are dealt into folds, patients kept together and "
                "classes spread evenly. One model is trained for each fold, which "
                "it does not see, and then predicts it: so every image is a test "
                "image once. A test split that the folders give takes no part."
            )
        )
    for experiment in experiments:
        with errors_shown():
            _show_experiment(current.run, experiment)
    offer_folds(current, experiments)


def offer_folds(current: Entry, experiments: Sequence[CrossValidation]) -> None:
    """Asks how many folds, and trains them.

    Args:
        current: The run whose settings they have.
        experiments: What was submitted already.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            _("Folds"), 2, cross_validation.MOST_REPEATS, 5, width=140
        )
        exists = any(
            (e.folds, e.seed) == (count, current.config.seed) for e in experiments
        )
        if st.button(
            _("Train the folds"),
            icon=":material/view_week:",
            disabled=exists,
            help=_("They were submitted already.") if exists else None,
        ):
            _train(current, cross_validation.fold_configs(current.config, int(count)))


def _show_experiment(run: Run, experiment: CrossValidation) -> None:
    done, folds = experiment.tested, experiment.folds
    st.markdown(_("**{folds} folds, seed {seed}**", folds=folds, seed=experiment.seed))
    if done and not experiment.complete:
        st.markdown(
            _(
                "{done} of {folds} folds so far: accuracy {accuracy}.",
                done=len(done),
                folds=folds,
                accuracy=plain(accuracy_so_far(done)),
            )
        )
    show_waiting(experiment.runs)
    if not experiment.complete:
        st.caption(
            _("What all folds say together stands here when every one has ended.")
        )
        return
    versions = tuple((str(e.run.folder), run_cache.version(e.run)) for e in done)
    table, pooled, each = _pooled(versions, experiment)
    show_table(
        _metrics_table(overall_metrics(pooled), each),
        hide_index=True,
        height="content",
        alt=_("Every metric of the pooled folds, and its mean and spread over them"),
    )
    st.caption(plain(pooled_meaning(experiment, pooled)))
    _warn_of_copies(table, [run_cache.copies(entry.run) for entry in done])
    name = f"out-of-fold-{folds}-seed-{experiment.seed}"
    with st.container(horizontal=True):
        csv_button(table, name, run, _("CSV of every image's out-of-fold scores"))
        if st.button(
            _("Compare them with other runs"),
            icon=":material/compare_arrows:",
            key=f"compare-{name}",
            help=_("There, each of the folds stands for all of them."),
        ):
            params = {"runs": done[0].run.id}
            st.switch_page(widgets.COMPARE, query_params=params)


def _warn_of_copies(table: pd.DataFrame, folds: Sequence[Copies]) -> None:
    """How many test images are copies, and the accuracy with them."""
    pooled = pooled_copies(folds)
    if not pooled.paths:
        return
    warning = copies_sentence(pooled, folds)
    if not pooled.all_are_copies:
        everything = overall_metrics(split_predictions(with_copies(table), "test"))
        beside = _(
            "With all of them the accuracy is {accuracy}.",
            accuracy=everything["accuracy"],
        )
        warning = join_sentences([warning, beside])
    st.warning(plain(warning), icon=":material/warning:")


def copies_sentence(pooled: Copies, folds: Sequence[Copies]) -> str:
    """How many test images of all folds are copies, and what that does to numbers.

    Args:
        pooled: Of all folds together; some are copies.
        folds: Of each of them.
    """
    copied = len(pooled.paths)
    if pooled.all_are_copies:
        return _(
            "All {count:,} images are copies of images that their fold's model was "
            "trained or chosen with: the numbers show what was remembered, not how new "
            "images fare.",
            count=copied,
        )
    counted = ngettext(
        "{count:,} image is a copy of an image that its fold's model was trained or "
        "chosen with, and is left out.",
        "{count:,} images are copies of images that their fold's model was trained or "
        "chosen with, and are left out.",
        copied,
    )
    empty = sum(copies.all_are_copies for copies in folds)
    if not empty:
        return counted
    left_out = ngettext(
        "{count} fold holds nothing else: it counts nowhere.",
        "{count} folds hold nothing else: they count nowhere.",
        empty,
    )
    return join_sentences([counted, left_out])


def folds_that_count(copies: Sequence[Copies]) -> list[bool]:
    """Which folds show how new images fare: not those of nothing but copies.

    Where no fold shows that, all count as what they are.
    """
    every = pooled_copies(copies).all_are_copies
    return [every or not each.all_are_copies for each in copies]


def accuracy_so_far(done: Sequence[Entry]) -> RunsSummary:
    """What the folds that have ended say of new images, as when all have ended.

    Args:
        done: Runs that have predicted their fold; one at least.
    """
    counting = folds_that_count([run_cache.copies(entry.run) for entry in done])
    numbers = [entry.test_accuracy for entry in itertools.compress(done, counting)]
    return cross_validation.summarize([n for n in numbers if n is not None])


Pooled = tuple[pd.DataFrame, Predictions, list[dict[str, float]]]


@st.cache_resource(max_entries=8, show_spinner=False)
def _pooled(
    versions: tuple[tuple[str, int], ...], _experiment: CrossValidation
) -> Pooled:
    """The out-of-fold table, its arrays, and every fold's own metrics."""
    table = cross_validation.out_of_fold_predictions(_experiment)
    runs = [Run(Path(folder)) for folder, _version in versions]
    counting = folds_that_count([run_cache.copies(run) for run in runs])
    each = []
    for run in itertools.compress(runs, counting):
        metrics = overall_metrics(run_cache.split(run))
        each.append({k: e.value for k, e in metrics.items() if e.measurable})
    return table, split_predictions(table, "test"), each


def _metrics_table(pooled: dict, each: Sequence[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            _("Metric"): [_(metric.title) for metric in METRICS.values()],
            _("All images, out of fold (95 % interval)"): [
                str(pooled[k]) for k in METRICS
            ],
            **spread_columns(each, [*METRICS]),
        }
    )


def spread_columns(
    each: Sequence[dict[str, float]], keys: Sequence[str]
) -> dict[str, list[str]]:
    """How a cross-validation's folds differ, as columns of a table.

    Args:
        each: Values of each fold by their keys; a fold may lack some.
        keys: One for each line of the table.
    """
    spreads = []
    for key in keys:
        values = [of_fold[key] for of_fold in each if key in of_fold]
        spreads.append(cross_validation.summarize(values) if values else None)
    return {
        _("Mean of the folds"): [f"{s.mean:.3f}" if s else "–" for s in spreads],
        _("Standard deviation"): [
            f"{s.deviation:.3f}" if s and s.count > 1 else "–" for s in spreads
        ],
        _("Lowest to highest"): [
            _("{low:.3f} to {high:.3f}", low=s.low, high=s.high) if s else "–"
            for s in spreads
        ],
    }


def pooled_meaning(experiment: CrossValidation, pooled: Predictions) -> str:
    """What the pooled numbers are, and what they are not."""
    images, folds = len(pooled.truth), experiment.folds
    if pooled.patients is None:
        predicted = _(
            "Each of the {images:,} images was predicted once, by the model that had "
            "not seen it. Patients are not known: the model may have seen other images "
            "of the same one.",
            images=images,
        )
    else:
        predicted = _(
            "Each of the {images:,} images of {patients:,} patients was predicted "
            "once, by the model that had seen no image of that patient; intervals keep "
            "patients together.",
            images=images,
            patients=pooled.patient_count,
        )
    limits = _(
        "This is how good these settings are on images like these, not how good any "
        "one of the {folds} models is: each learned from at most {share:.0f} % of the "
        "images. The intervals do not know that the models share most of their "
        "training images, nor do they speak for another hospital. Scores of different "
        "models are ranked together, which can lower the pooled area under the ROC "
        "curve a little.",
        folds=folds,
        share=100 - 100 / folds,
    )
    return f"{predicted} {limits}"


def show_waiting(family: Sequence[Entry]) -> None:
    """How many of some runs wait or are trained, and how many ended early."""
    waiting = sum(entry.status.state.active for entry in family)
    failed = sum(entry.status.state.value in _ENDED_EARLY for entry in family)
    if waiting:
        st.caption(
            ngettext(
                "{count} of them is waiting or being trained.",
                "{count} of them are waiting or being trained.",
                waiting,
            )
        )
    if failed:
        st.caption(_("{count} of them ended early: see Runs.", count=failed))


_ENDED_EARLY = ("failed", "stopped", "interrupted")


def _train(current: Entry, configs: Sequence[TrainConfig]) -> None:
    with errors_shown():
        for config in configs:
            run = queue.submit(config, widgets.store())
            audit.record("train", run=run.id, repeats=current.run.id)
        st.toast(
            ngettext(
                "{count} run is waiting for its turn.",
                "{count} runs are waiting for their turn.",
                len(configs),
            )
        )
        st.rerun()
