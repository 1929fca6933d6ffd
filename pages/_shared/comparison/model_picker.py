"""Which models are compared: only those with results on the same test images."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.language import _
from medmodel.runs import run_index
from medmodel.runs.run_entry import Entry
from medmodel.runs.tables.cells import read_header
from medmodel.runs.tables.predictions import scored_classes
from pages._shared.common.address import show_in_address
from pages._shared.common.model_choice import (
    CHOSEN,
    distinct_labels,
    list_order,
    model_label,
)
from pages._shared.common.widgets import store

MOST = 6
"""Models that are compared at a time."""
_COMPARED = "compared-runs"
_PARAMETER = "runs"
_WIDEST = 56
"""Letters that a model in the list has room for."""


def compared_models(all_entries: Sequence[Entry]) -> list[Entry]:
    """The models of ?runs=A,B, else of this session, else the last one and another.

    Runs that failed, have no test results, or were tested on other images than the
    first one are not offered. A link to such a run is said to be that, and stays.

    Args:
        all_entries: All runs, newest first.
    """
    tested = {e.run.id: e for e in all_entries if is_tested(e)}
    linked = [run for run in st.query_params.get(_PARAMETER, "").split(",") if run]
    wanted = linked or _remembered(tested)
    usable = [run for run in dict.fromkeys(wanted) if run in tested][:MOST]
    with st.container(gap=None):
        chosen = _select(tested, usable)
        if chosen and not linked:
            show_in_address("compare", _PARAMETER, ",".join(chosen))
    if linked:
        _say_what_is_missing(linked, tested)
    st.session_state[_COMPARED] = chosen
    return [tested[run] for run in chosen]


def is_tested(entry: Entry) -> bool:
    """Whether the run has ended and has results on test images."""
    if entry.status.state.active:
        return False
    if entry.config.multi_label:
        return entry.test_images > 0
    result = entry.test_dice if entry.config.segments else entry.test_accuracy
    return result is not None


def is_comparable(entry: Entry, first: Entry) -> bool:
    """Whether two tested runs are of one data set and know the same classes."""
    if entry.config.dataset != first.config.dataset:
        return False
    same_kind = entry.config.metric == first.config.metric
    return same_kind and _classes(entry) == _classes(first)


def _classes(entry: Entry) -> frozenset[str]:
    if entry.config.metric != "accuracy":
        facts, _problem = value_or_problem(lambda: entry.run.model_facts)
        return frozenset(facts.class_names if facts else ())
    return frozenset(scored_classes(read_header(entry.run.predictions_path)))


def _remembered(tested: dict[str, Entry]) -> list[str]:
    """What this session compared; else its model and the newest comparable one."""
    before = [run for run in st.session_state.get(_COMPARED, []) if run in tested]
    if len(before) > 1 or not tested:
        return before
    last = st.session_state.get(CHOSEN, "")
    first = tested.get(last) or tested[max(tested)]
    others = [e for e in tested.values() if e is not first and is_comparable(e, first)]
    newest = max(others, key=lambda e: e.run.id, default=None)
    return [first.run.id, newest.run.id] if newest else [first.run.id]


def _select(tested: dict[str, Entry], usable: list[str]) -> list[str]:
    entries = sorted(tested.values(), key=list_order)
    if usable:
        first = tested[usable[0]]
        entries = [e for e in entries if e.run.id in usable or is_comparable(e, first)]
    titles = distinct_labels({e.run.id: model_label(e) for e in entries}, _WIDEST)
    st.session_state["models"] = usable
    chosen: list[str] = st.multiselect(
        _("Models on the same test images"),
        list(titles),
        format_func=titles.__getitem__,
        max_selections=MOST,
        key="models",
        on_change=_take_choice,
        placeholder=_("Choose two models"),
    )
    return chosen


def _take_choice() -> None:
    st.query_params[_PARAMETER] = ",".join(st.session_state["models"])


def add_to_link(first: str, other: str) -> None:
    """Compares two runs from the next run of the page on."""
    st.query_params[_PARAMETER] = f"{first},{other}"


def _say_what_is_missing(linked: list[str], tested: dict[str, Entry]) -> None:
    """Why runs of a link are not compared."""
    missing = [run for run in dict.fromkeys(linked) if run not in tested]
    if not missing:
        return
    known = {e.run.id: e for e in run_index.entries(store())}
    gone = sum(run not in known for run in missing)
    if gone:
        st.error(
            _(
                "{gone} of {runs} runs of this link are not here any more, or "
                "never were. Choose others above.",
                gone=gone,
                runs=len(linked),
            ),
            icon=":material/link_off:",
        )
    if untested := len(missing) - gone:
        st.error(
            _(
                "{untested} of {runs} runs of this link have no test results. "
                "Choose others above.",
                untested=untested,
                runs=len(linked),
            ),
            icon=":material/link_off:",
        )
