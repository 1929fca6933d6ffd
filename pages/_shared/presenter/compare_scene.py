"""Step Compare: which model is better on the same test images."""

from __future__ import annotations

import streamlit as st

from medmodel.audience.slide import Bar, Slide
from medmodel.evaluation import cross_validation
from medmodel.evaluation.comparison import PairedDifference, why_not_told
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.metrics import METRICS
from medmodel.language import _
from medmodel.reports import plots
from medmodel.runs import run_index
from medmodel.runs.run_index import Entry
from pages._shared.common import run_cache, widgets
from pages._shared.comparison import comparison_cache
from pages._shared.presenter.scene import Scene, go_to, turned
from pages._shared.presenter.subject import chosen_dataset, trainings

SHOWN = ("accuracy", "auc", "balanced_accuracy")
MOST_MODELS = 4
_METRIC = "presented-metric"


def compare_scene() -> Scene:
    """The verdict on the runs in ?runs=, else on the two newest of the data set.

    Raises:
        MedModelError: They cannot be compared.
    """
    entries = run_index.entries(widgets.store())
    chosen = _chosen(entries)
    models = cross_validation.compared_models(chosen, entries) if chosen else {}
    if len(models) < 2:
        return _too_few(chosen)
    runs = comparison_cache.chosen(models)
    metric = SHOWN[st.session_state.get(_METRIC, 0)]
    pairs = comparison_cache.differences(runs, metric)
    estimates = {
        name: values[metric] for name, values in comparison_cache.metrics(runs).items()
    }
    title, sentences = _verdict(pairs)
    slide = Slide(
        _("Compare"),
        title,
        _(
            "{metric} with its 95 % interval. {common}",
            metric=_(METRICS[metric].title),
            common=comparison_cache.common(runs),
        ),
        bars=_bars(estimates),
        notes=(*sentences, *_copies(models)),
    )
    return Scene(slide, turn=_turn)


def _chosen(entries: list[Entry]) -> list[Entry]:
    asked = [run for run in st.query_params.get("runs", "").split(",") if run]
    by_id = {entry.run.id: entry for entry in entries}
    named = [by_id[run] for run in asked if run in by_id]
    if len(named) >= 2:
        return named[:MOST_MODELS]
    folder = chosen_dataset()
    tested = [e for e in trainings() if e.run.predictions_path.exists()]
    return [e for e in tested if e.config.dataset == str(folder)][:2]


def _too_few(chosen: list[Entry]) -> Scene:
    sentence = _("Train two models on the same data set, and they are compared here.")
    if chosen:
        sentence = _(
            "{model} is the only one so far. Train another recipe.",
            model=chosen[0].title,
        )
    slide = Slide(_("Compare"), _("Two models are needed"), sentence, state="empty")
    return Scene(slide, _("Go to Train"), lambda: go_to("train"))


def _turn(by: int) -> None:
    at = st.session_state.get(_METRIC, 0)
    st.session_state[_METRIC] = turned(len(SHOWN), at, by)


def _verdict(pairs: list[PairedDifference]) -> tuple[str, list[str]]:
    """The title, and what more there is to say of several pairs."""
    if len(pairs) == 1:
        return str(pairs[0]), []
    better = [str(pair) for pair in pairs if pair.better]
    if not better:
        reasons = why_not_told(pairs)
        if reasons:
            return _("No pair can be told apart: {reasons}", reasons=reasons), []
        images = pairs[0].estimate.n
        return _("No significant difference (n = {images:,} images)", images=images), []
    return better[0], [
        _("p values are corrected for {count} pairs.", count=len(pairs)),
        *better[1:],
    ]


def _bars(estimates: dict[str, Estimate]) -> tuple[Bar, ...]:
    colours = plots.class_colours(list(estimates))
    return tuple(
        Bar(
            name,
            estimate.value,
            str(estimate),
            colours[name],
            estimate.low if estimate.has_interval else None,
            estimate.high if estimate.has_interval else None,
        )
        for name, estimate in estimates.items()
    )


def _copies(models: comparison_cache.Models) -> list[str]:
    copies = [run_cache.copies(run) for several in models.values() for run in several]
    notes = []
    if any(each.paths for each in copies):
        notes.append(
            _(
                "Test images that are copies of training or validation images are "
                "left out, unless a model was tested on nothing else."
            )
        )
    return [*notes, *dict.fromkeys(each.unknown for each in copies if each.unknown)]
