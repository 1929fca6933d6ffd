"""Step Train: a recipe in one sentence; Enter trains it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.audience.slide import Slide
from medmodel.core.config import MODEL_NAMES, RECIPES, TrainConfig, config_for
from medmodel.data.layout import list_files
from medmodel.data.splits import guess_patient_pattern
from medmodel.language import _
from medmodel.quality import report_store
from medmodel.runs import queue
from pages._shared.common import widgets
from pages._shared.presenter.data_scene import data_scene
from pages._shared.presenter.scene import Scene, go_to, turned
from pages._shared.presenter.subject import choose_run, chosen_dataset, trainings

OFFERED = ("instant", "compact", "document")
"""Recipes for a stage; `custom` wants the form."""
_RECIPE = "presented-recipe"


def train_scene() -> Scene:
    """The recipe that Enter trains; up and down show another one."""
    folder = chosen_dataset()
    if folder is None:
        return data_scene()
    at = st.session_state.get(_RECIPE, 0)
    recipe = OFFERED[at]
    config = config_for(recipe, str(folder))
    name = widgets.folder_name(str(folder))
    slide = Slide(
        _("Train"),
        _("{recipe} on {dataset}", recipe=_(RECIPES[recipe].title), dataset=name),
        _(RECIPES[recipe].summary),
        notes=(
            _("Network: {network}.", network=_(MODEL_NAMES[config.model])),
            _("Recipe {number} of {count}.", number=at + 1, count=len(OFFERED)),
            *_busy(),
        ),
    )
    return Scene(slide, _("Train"), lambda: _train(recipe, folder), _turn)


def _busy() -> list[str]:
    titles = [e.title for e in trainings() if e.status.state.active]
    return [_("At work now: {run}.", run=titles[0])] if titles else []


def _turn(by: int) -> None:
    at = st.session_state.get(_RECIPE, 0)
    st.session_state[_RECIPE] = turned(len(OFFERED), at, by)


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
