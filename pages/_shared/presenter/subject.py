"""What the demo is about: a data set and a run, from the address or the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from medmodel.core.environment import data_roots
from medmodel.core.errors import DataError, RunError
from medmodel.data.folders import recent_datasets, safe_folder, subfolders
from medmodel.language import _
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.setting_words import what_it_does
from pages._shared.common import widgets
from pages._shared.presenter.scene import Scene


def datasets() -> list[Path]:
    """Data sets to choose from: those of the latest runs, then all others."""
    folders = dict.fromkeys(recent_datasets(widgets.store()))
    for root in data_roots():
        folders |= dict.fromkeys(subfolders(root))
    return list(folders)


def chosen_dataset() -> Path | None:
    """The data set in ?dataset=, else that of the chosen run, else the first.

    Raises:
        DataError: The one in the address is not there, or not under an allowed root.
    """
    asked = st.query_params.get("dataset", "")
    if asked:
        return safe_folder(asked)
    if "run" in st.query_params:
        try:
            return safe_folder(chosen_run_id().config.dataset)
        except (DataError, RunError):
            pass  # its folder may be gone while the run is still there
    return next(iter(datasets()), None)


def chosen_run() -> Run | None:
    """The run in ?run=, else the newest on the chosen data set, else the newest.

    Raises:
        RunError: The one in the address is not there.
    """
    if st.query_params.get("run"):
        return chosen_run_id()
    trained = trainings()
    return trained[0].run if trained else None


def chosen_run_id() -> Run:
    """The run in ?run=.

    Raises:
        RunError: It is not there.
    """
    return widgets.store().get(st.query_params.get("run", ""))


def trainings() -> list[Entry]:
    """All runs that train a model on the chosen data set, newest first."""
    entries = [e for e in run_index.entries(widgets.store()) if not e.test_of]
    asked = st.query_params.get("dataset", "")
    return [e for e in entries if not asked or e.config.dataset == asked]


def choose_dataset(folder: Path) -> None:
    """Puts a data set into the address; the run of another one goes."""
    st.query_params["dataset"] = str(folder)
    st.query_params.pop("run", None)


def choose_run(run: Run) -> None:
    """Puts a run and its data set into the address."""
    st.query_params["run"] = run.id
    st.query_params["dataset"] = run.config.dataset


def instead_of_chosen(shown: Run) -> list[str]:
    """That a step shows another model than the chosen one, and why, as a sentence."""
    if not st.query_params.get("run"):
        return []  # nobody chose
    asked = chosen_run_id()
    if asked.id == shown.id:
        return []
    if asked.tested_model:
        return [
            _(
                "{asked} is a test on another folder: this is {shown}.",
                asked=asked.title,
                shown=shown.title,
            )
        ]
    if asked.config.metric != shown.config.metric:
        return [
            _(
                "{asked} {does}: this is another model, {shown}.",
                asked=asked.title,
                does=what_it_does(asked.config),
                shown=shown.title,
            )
        ]
    return [
        _(
            "{asked} has no finished model: this is another one, {shown}.",
            asked=asked.title,
            shown=shown.title,
        )
    ]


def with_notes(scene: Scene, notes: Sequence[str]) -> Scene:
    """The scene with these notes on its slide before its own."""
    return replace(
        scene, slide=replace(scene.slide, notes=(*notes, *scene.slide.notes))
    )
