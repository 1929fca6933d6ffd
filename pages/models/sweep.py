"""Sweeps: many trainings over ranges of settings; with ?sweep=ID one of them, live."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core.environment import weights_folder
from medmodel.core.errors import ConfigError, RunError
from medmodel.language import _, translate
from medmodel.sweeps.search_space import encoders_sweep, recipes_sweep
from medmodel.sweeps.sweep import Sweep, get_sweep, keep_going, list_sweeps, start_sweep
from pages._shared.common import widgets
from pages._shared.common.glossary import meaning
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.training.encoder_choice import encoders_of
from pages._shared.training.sweep_form import (
    ask_sweep,
    base_config,
    pick_folder,
    show_expected_time,
)
from pages._shared.training.sweep_view import show_sweep

_PARAMETER = "sweep"


def show_all() -> None:
    """The button for all recipes, the form for a sweep, and earlier sweeps."""
    page_header(
        _("Sweep"),
        _("Many trainings with different settings, compared on validation images."),
    )
    folder = pick_folder()
    if folder is None:
        widgets.empty_state(
            _("There is no data set yet to train on."),
            widgets.DATASETS,
            _("Data sets"),
        )
        return
    st.markdown(
        _(
            "**Compare all recipes on this data**: each recipe is trained once, on the "
            "same split."
        ),
        help=meaning("sweep"),
    )
    recipes = recipes_sweep(base_config(folder, "instant"))
    if st.button(_("Compare all recipes"), type="primary", icon=":material/science:"):
        with errors_shown():
            _open(start_sweep(recipes))
    show_expected_time(folder, recipes)
    _offer_encoders(folder)
    with st.expander(_("Choose what varies"), icon=":material/tune:"):
        asked = ask_sweep(folder)
        try:
            asked.check()
        except ConfigError as error:
            st.info(plain(translate(str(error))), icon=":material/edit:")
        else:
            if st.button(_("Start the sweep"), icon=":material/play_arrow:"):
                with errors_shown():
                    _open(start_sweep(asked))
            show_expected_time(folder, asked)
    _list()


def _offer_encoders(folder: Path) -> None:
    """One button for all encoders of the weights folder; nothing where it has none."""
    entries = encoders_of(str(weights_folder()))
    usable = [e.key for e in entries if e.encoder and not e.problem]
    if not usable:
        return
    st.markdown(
        _(
            "**Compare all encoders on this data**: the recipe Instant once with "
            "each network that comes along and once with each encoder of the weights "
            "folder, on the same split."
        )
    )
    sweep = encoders_sweep(base_config(folder, "instant"), usable)
    if st.button(_("Compare all encoders"), icon=":material/compare_arrows:"):
        with errors_shown():
            _open(start_sweep(sweep))
    show_expected_time(folder, sweep)


def _open(sweep: Sweep) -> None:
    st.query_params[_PARAMETER] = sweep.id
    st.rerun()


def _list() -> None:
    sweeps = list_sweeps()
    if not sweeps:
        return
    st.subheader(_("Earlier sweeps"), anchor=False)
    for sweep in sweeps[:20]:
        with errors_shown():
            done = sum(trial.finished for trial in sweep.results.trials)
            title = _(
                "{title}: {done} of {trials} trials",
                title=sweep.title,
                done=done,
                trials=sweep.planned,
            )
            if st.button(plain(title), key=sweep.id, type="tertiary"):
                _open(sweep)


keep_going()
asked_for = st.query_params.get(_PARAMETER, "")
with errors_shown():
    if not asked_for:
        show_all()
    else:
        try:
            show_sweep(get_sweep(asked_for))
        except RunError as error:
            page_header(_("Sweep"), _("The sweep that was asked for is not here."))
            st.error(plain(translate(str(error))), icon=":material/error:")
        if st.button(_("All sweeps"), icon=":material/arrow_back:"):
            st.query_params.clear()
            st.rerun()
