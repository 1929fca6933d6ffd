"""The recipe "Best in … minutes": a time instead of settings."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core.config import config_for
from medmodel.language import N_, _, ngettext
from medmodel.sweeps.candidates import MINUTES
from medmodel.sweeps.search_space import best_sweep
from medmodel.sweeps.sweep import start_sweep
from pages._shared.common import widgets
from pages._shared.common.keyboard import primary_button
from pages._shared.common.legible import legible, one_of
from pages._shared.common.widgets import errors_shown

BEST = "best"
TITLE = N_("Best in … minutes")
SUMMARY = N_(
    "Spends the time you give on several recipes and their ensemble, and chooses on "
    "validation images."
)
_USUAL = 10


def show_best(folder: Path, pattern: str, problem: str) -> None:
    """Asks for the time and starts; what was started opens.

    Args:
        folder: The data set.
        pattern: For patients in the names of its files.
        problem: Why it cannot be trained on; "" if it can.
    """
    minutes = one_of(
        _("Time"),
        MINUTES,
        default=_USUAL,
        required=True,
        format_func=legible(
            lambda count: ngettext("{count:,} minute", "{count:,} minutes", count)
        ),
        key="best-minutes",
    )
    pressed = primary_button(
        _("Train"), "Ctrl+Enter", icon=":material/play_arrow:", disabled=bool(problem)
    )
    if problem:
        st.error(problem, icon=":material/error:")
    st.caption(
        _(
            "Instant comes first; what fits into the rest of the time follows. Each "
            "candidate is a run that you can open. The time counts from now, waiting "
            "for other runs included."
        )
    )
    if pressed:
        with errors_shown():
            base = config_for("instant", str(folder), patient_pattern=pattern)
            sweep = start_sweep(best_sweep(base, int(minutes or _USUAL)))
            st.switch_page(widgets.SWEEP, query_params={"sweep": sweep.id})
