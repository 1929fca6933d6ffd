"""Choosing some of the test images by what they are, never by what the model said."""

from __future__ import annotations

import streamlit as st

from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.groups.subgroups import (
    ALL,
    FACT_TITLES,
    Subgroup,
    subgroup_options,
)
from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.legible import legible
from pages._shared.common.words import plain

TEXT = "image-text"
FACTS = "image-facts"


def forget_subgroup() -> None:
    """Takes the choice back: all images again."""
    st.session_state[TEXT] = ""
    st.session_state[FACTS] = []


def pick_subgroup(run: Run) -> Subgroup | None:
    """Lets the user choose; says what the choice rests on. One for all views.

    None where no test image is like this, which is said.
    """
    with st.expander(_("Only some of the images"), icon=":material/filter_alt:"):
        group = _ask(run)
        if group != ALL:
            st.button(_("All images"), on_click=forget_subgroup)
    if group == ALL:
        return group
    if not group.holds(run_cache.images(run)).any():
        st.info(
            _("No test image is like this: {subgroup}.", subgroup=plain(group)),
            icon=":material/info:",
        )
        return None
    say_what_it_is(run_cache.evaluation(run, group), run_cache.evaluation(run), group)
    return group


def _ask(run: Run) -> Subgroup:
    values_of = subgroup_options(run_cache.images(run))
    st.session_state.setdefault(TEXT, "")
    chosen_facts = st.session_state.get(FACTS, [])
    st.session_state[FACTS] = [name for name in chosen_facts if name in values_of]
    text, facts = st.columns([1, 1.6], vertical_alignment="bottom")
    text.text_input(_("Patient or file name holds"), key=TEXT, persist_state="session")
    if values_of:
        facts.pills(
            _("Only some by"),
            list(values_of),
            format_func=legible(lambda name: _(FACT_TITLES[name])),
            selection_mode="multi",
            key=FACTS,
            persist_state="session",
        )
    else:
        facts.caption(
            _(
                "Nothing else tells these images apart: all have one size and one "
                "format, or their data set was not checked here."
            )
        )
    kinds, ranges = [], []
    for name in st.session_state[FACTS]:
        key = f"fact-{run.id}-{name}"
        values = values_of[name]
        if isinstance(values[0], str):
            texts = st.pills(
                _(FACT_TITLES[name]),
                values,
                selection_mode="multi",
                format_func=legible(plain),
                key=key,
                persist_state="session",
            )
            if texts:
                kinds.append((name, tuple(map(str, texts))))
        else:
            least, most = float(values[0]), float(values[1])
            low, high = st.slider(
                _(FACT_TITLES[name]),
                least,
                most,
                (least, most),
                # All facts are whole numbers.
                step=max(1.0, float((most - least) // 200)),
                format="%g",
                key=key,
                persist_state="session",
            )
            if (low, high) != values:
                ranges.append((name, (low, high)))
    return Subgroup(st.session_state[TEXT], tuple(kinds), tuple(ranges))


def say_what_it_is(
    evaluation: Evaluation, overall: Evaluation, group: Subgroup
) -> None:
    """What a subgroup's numbers rest on, and how little they prove."""
    if evaluation.patients:
        part = _(
            "**{images:,} of {total:,} images** of {patients:,} patients: {subgroup}.",
            images=evaluation.images,
            total=overall.images,
            patients=evaluation.patients,
            subgroup=plain(group),
        )
    else:
        part = _(
            "**{images:,} of {total:,} images**: {subgroup}.",
            images=evaluation.images,
            total=overall.images,
            subgroup=plain(group),
        )
    limits = _(
        "This part was chosen after the test images had been seen: a difference is a "
        "hint to be tested on new images, not a result, and of many parts some differ "
        "by chance."
    )
    st.warning(
        f"{part} {limits} {plain(evaluation.resolution)}",
        icon=":material/filter_alt:",
    )
