"""Step Train: a recipe in one sentence; Enter trains it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.audience.slide import Slide
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import DataError
from medmodel.core.settings.network_names import MODEL_NAMES, SEGMENTATION_MODELS
from medmodel.core.settings.recipes import RECIPES
from medmodel.data.layout import list_files
from medmodel.data.segmentation.pairs import LABEL
from medmodel.data.splits import guess_patient_pattern
from medmodel.language import _
from medmodel.quality import report_store
from medmodel.runs import queue
from medmodel.runs.status import RunStatus
from pages._shared.common import widgets
from pages._shared.presenter.data_scene import data_scene
from pages._shared.presenter.scene import Scene, go_to, turned
from pages._shared.presenter.subject import choose_run, chosen_dataset, trainings

OFFERED = ("instant", "compact", "document")
"""Recipes for a stage; `custom` wants the form."""
NETWORKS = MODEL_NAMES | SEGMENTATION_MODELS
_RECIPE = "presented-recipe"


def train_scene() -> Scene:
    """The recipe that Enter trains; up and down show another one."""
    folder = chosen_dataset()
    if folder is None:
        return data_scene()
    offered = _offered(folder)
    at = st.session_state.get(_RECIPE, 0) % len(offered)
    recipe = offered[at]
    config = config_for(recipe, str(folder))
    name = widgets.folder_name(str(folder))
    slide = Slide(
        _("Train"),
        _("{recipe} on {dataset}", recipe=_(RECIPES[recipe].title), dataset=name),
        _(RECIPES[recipe].summary),
        notes=(
            _("Network: {network}.", network=_(NETWORKS[config.model])),
            _("Recipe {number} of {count}.", number=at + 1, count=len(offered)),
            *_busy(),
        ),
    )

    def turn(by: int) -> None:
        st.session_state[_RECIPE] = turned(len(offered), at, by)

    return Scene(slide, _("Train"), lambda: _train(recipe, folder), turn)


def _busy() -> list[str]:
    """The training at work, not the newest one that waits for it."""
    active = [entry for entry in trainings() if entry.status.state.active]
    for entry in active:
        if entry.status.state is RunStatus.RUNNING:
            return [_("At work now: {run}.", run=entry.title)]
    return [_("Waiting now: {run}.", run=active[0].title)] if active else []


def _offered(folder: Path) -> tuple[str, ...]:
    """The recipes for a data set: where it has masks alone, the one for them."""
    try:
        labels = {file.label for file in list_files(folder)[0]}
    except DataError:  # said when it is trained
        return OFFERED
    return ("segmentation",) if labels == {LABEL} else OFFERED


def _train(recipe: str, folder: Path) -> None:
    choose_run(queue.submit(_config(recipe, folder), widgets.store()))
    go_to("curves")


def _config(recipe: str, folder: Path) -> TrainConfig:
    """As the form of the page Train begins: patients stay whole where names tell."""
    if report_store.load_report(folder) is not None:
        pattern = report_store.load_pattern(folder)
    else:
        files, _problems = list_files(folder)
        pattern = guess_patient_pattern([file.path for file in files])
    return config_for(recipe, str(folder), patient_pattern=pattern)
