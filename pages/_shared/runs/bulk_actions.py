"""Several runs at once: compared, averaged, or moved to the trash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.ensembles import members
from medmodel.ensembles.members import FEWEST, MOST
from medmodel.language import _, translate
from medmodel.runs import queue
from pages._shared.common import widgets
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain


def show_bulk_actions(run_ids: Sequence[str], most_compared: int) -> None:
    """What can be done with the ticked runs.

    Args:
        run_ids: Their ids.
        most_compared: So many runs can be compared at a time.
    """
    count = len(run_ids)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_("Selected: **{runs:,}**", runs=count))
        if st.button(
            _("Compare"),
            icon=":material/compare_arrows:",
            disabled=not 2 <= count <= most_compared,
            help=_("Two to {most} runs.", most=most_compared),
        ):
            st.switch_page(widgets.COMPARE, query_params={"runs": ",".join(run_ids)})
        if st.button(
            _("Make an ensemble"),
            icon=":material/join:",
            disabled=not FEWEST <= count <= MOST,
            help=_(
                "One model that averages the probabilities of these: {fewest} to "
                "{most} finished runs of the same data set and split.",
                fewest=FEWEST,
                most=MOST,
            ),
        ):
            _make_ensemble(run_ids)
        if st.button(
            _("Move to trash"),
            icon=":material/delete:",
            disabled=not count,
            help=_("They can be restored for 7 days."),
        ):
            delete_runs(run_ids, lambda sentence: st.toast(plain(translate(sentence))))
            st.rerun()


def _make_ensemble(run_ids: Sequence[str]) -> None:
    store = widgets.store()
    with errors_shown():
        made = members.submit([store.get(run_id) for run_id in run_ids], store)
        st.query_params["run"] = made.id
        st.rerun()


def delete_runs(run_ids: Sequence[str], refused: Callable[[str], object]) -> None:
    """Moves each run to the trash; one that cannot go stops no other.

    Args:
        run_ids: Their ids; some may be gone by now.
        refused: Told why a run stays, or that it was gone.
    """
    store = widgets.store()
    for run_id in run_ids:
        try:
            queue.delete(store.get(run_id), store)
        except MedModelError as error:
            refused(str(error))
