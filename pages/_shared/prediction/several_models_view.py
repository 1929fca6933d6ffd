"""One image through several models: bars side by side, and each model's heat map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.language import _
from medmodel.predictor import METHODS, ExplainOptions, methods_of
from medmodel.reports import plots
from pages._shared.common.glossary import meaning
from pages._shared.common.image_view import SIDE, show_image
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case
from pages._shared.prediction.prediction_cache import Answer, heatmap_of
from pages._shared.prediction.prediction_view import (
    bar_order,
    show_original,
    show_probabilities,
)

_FIRST_CHOICE = ""
_IN_A_ROW = 4


def places(count: int) -> Iterator[DeltaGenerator]:
    """As many columns as there are models, in rows; on a phone below each other."""
    # Six stand better as three and three than as four and two.
    rows = -(-count // _IN_A_ROW)
    width = -(-count // rows)
    for start in range(0, count, width):
        yield from st.columns(width, gap="medium")[: min(width, count - start)]


def show_bars(answers: Sequence[Answer]) -> None:
    """Each predicted class and bars, classes in the same order for all."""
    names = [name for answer in answers for name in answer.classes]
    colours = plots.class_colours(list(dict.fromkeys(names)))
    shown: list[str] = []
    for place, answer in zip(places(len(answers)), answers, strict=True):
        with place:
            st.markdown(f":gray[{plain(answer.name)}]")
            order = bar_order(answer, shown)
            shown = shown or [answer.classes[i] for i in order]
            show_probabilities(answer, colours, order)


@st.fragment
def show_heatmaps(answers: Sequence[Answer]) -> None:
    """The image, and below it where each model looked; one set of controls."""
    case = answers[0].case
    st.markdown(
        _("**Saliency map of each model**, not a lesion's outline"),
        help=meaning("heat map, saliency map"),
    )
    left, right = st.columns([1, 2], gap="medium", vertical_alignment="center")
    with left:
        show_original(case)
    with right:
        wanted, opacity, method = _controls(answers, case)
    # One model may stand alone here, because the others find the image strange.
    beside = places(max(len(answers), 2))
    for place, answer in zip(beside, answers, strict=False):
        with place, errors_shown(), st.spinner(_("Explaining …")):
            _show_heatmap(answer, wanted, opacity, method)


def _controls(answers: Sequence[Answer], case: Case) -> tuple[str, int, str]:
    common = [
        name
        for name in answers[0].classes
        if all(name in answer.classes for answer in answers)
    ]
    wanted = st.selectbox(
        _("Class shown"),
        [_FIRST_CHOICE, *common],
        format_func=lambda name: name or _("Each predicted class"),
        key=f"evidence-of-all-{case.key}",
    )
    opacity = st.slider(
        _("Opacity of the heat maps"),
        0,
        100,
        60,
        5,
        format="%d %%",
        key="opacity-of-all",
        persist_state="session",
    )
    method = st.selectbox(
        _("Method"),
        list(METHODS),
        format_func=lambda name: _(METHODS[name]),
        key="method-of-all",
        persist_state="session",
    )
    return wanted, opacity, method


def _show_heatmap(answer: Answer, wanted: str, opacity: int, method: str) -> None:
    position = answer.classes.index(wanted) if wanted else answer.first_choice
    name = answer.classes[position]
    share = plots.per_cent(float(answer.probabilities[position]))
    st.markdown(f":gray[{plain(answer.name)}]  \n{plain(name)}: {plain(share)}")
    methods = methods_of(answer.run.model_facts)
    chosen = method if method in methods else methods[0]
    heatmap = heatmap_of(answer, position, ExplainOptions(chosen))
    show_image(
        plots.overlay(plots.enlarged(answer.pixels, SIDE), heatmap, opacity / 100),
        plots.heatmap_caption(heatmap, name),
        _(
            "Heat map of {model} for {name} laid over the image",
            model=answer.name,
            name=name,
        ),
    )
