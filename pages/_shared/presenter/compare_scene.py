"""Step Compare: which model is better on the same test images."""

from __future__ import annotations

import streamlit as st

from medmodel.audience.slide import Slide
from medmodel.core.errors import DataError
from medmodel.evaluation import cross_validation
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _
from medmodel.runs import run_index
from medmodel.runs.run_entry import Entry
from pages._shared.common import run_cache, widgets
from pages._shared.comparison import comparison_cache
from pages._shared.comparison.model_picker import is_tested
from pages._shared.presenter.finding_slides import compare_findings_scene
from pages._shared.presenter.scene import Scene, go_to, turned
from pages._shared.presenter.subject import chosen_dataset, trainings, with_notes
from pages._shared.presenter.verdict import estimate_bars, verdict

SHOWN = ("accuracy", "auc", "balanced_accuracy")
MOST_MODELS = 4
_METRIC = "presented-metric"


def compare_scene() -> Scene:
    """The verdict on the runs in ?runs=; else on two models of the data set.

    These are the chosen model and the newest other one, else the two newest.

    Raises:
        MedModelError: They cannot be compared.
    """
    entries = run_index.entries(widgets.store())
    named = _named(entries)
    chosen = named if len(named) >= 2 else _newest()
    notes = []
    if len(_asked()) >= 2 and chosen is not named:
        notes = [
            _("The chosen models are not there any more: these are the newest two.")
        ]
    return with_notes(_scene_of(chosen, entries), notes)


def _scene_of(chosen: list[Entry], entries: list[Entry]) -> Scene:
    models = cross_validation.compared_models(chosen, entries) if chosen else {}
    if len(models) < 2:
        return _too_few(chosen)
    cross_validation.check_one_kind(models)
    first = next(iter(models.values()))[0].config
    if first.segments:
        raise DataError(_("Models that outline are compared on the page Compare."))
    if first.multi_label:
        return compare_findings_scene(models, _copies(models))
    runs = comparison_cache.chosen(models)
    metric = SHOWN[st.session_state.get(_METRIC, 0)]
    pairs = comparison_cache.differences(runs, metric)
    estimates = {
        name: values[metric] for name, values in comparison_cache.metrics(runs).items()
    }
    title, sentences = verdict(pairs)
    slide = Slide(
        _("Compare"),
        title,
        _(
            "{metric} with its 95 % interval. {common}",
            metric=_(METRICS[metric].title),
            common=comparison_cache.common(runs),
        ),
        bars=estimate_bars(estimates),
        notes=(*sentences, *_copies(models)),
    )
    return Scene(slide, turn=_turn)


def _asked() -> list[str]:
    """The runs in ?runs=."""
    return [run for run in st.query_params.get("runs", "").split(",") if run]


def _named(entries: list[Entry]) -> list[Entry]:
    """Those of them that are there."""
    by_id = {entry.run.id: entry for entry in entries}
    return [by_id[run] for run in _asked() if run in by_id][:MOST_MODELS]


def _newest() -> list[Entry]:
    """Two models of the data set that were measured in the same way: the newest.

    The chosen one, which the steps before have shown, comes first.
    """
    folder = chosen_dataset()
    tested = [e for e in trainings() if is_tested(e) and not e.config.segments]
    here = [e for e in tested if e.config.dataset == str(folder)]
    here.sort(key=lambda entry: entry.run.id != st.query_params.get("run"))
    return [e for e in here if e.config.metric == here[0].config.metric][:2]


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
