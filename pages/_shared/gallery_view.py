"""From a number to its images: filters, a gallery, one image closely."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel import gallery, plots
from medmodel.gallery import ORDERS, Filter
from medmodel.runs import Run
from pages._shared import results
from pages._shared.answers import scores_of
from pages._shared.cases import dataset_case
from pages._shared.downloads import csv_button
from pages._shared.pictures import SIDE, file_of, small_pictures
from pages._shared.prediction_view import bar_order, show_pictures, show_scores
from pages._shared.widgets import errors_shown
from pages._shared.words import plain

AT_ONCE = 12
LABEL, CHOICE, SCORES, TEXT = (
    "image-label",
    "image-choice",
    "image-scores",
    "image-text",
)
_ORDER, _WRONG, _SHOWN = "image-order", "image-wrong", "images-shown"
_ANY = (0, 100)


def ask_for(label: str = "", choice: str = "", scores: tuple[int, int] = _ANY) -> None:
    """Sets the filters of the gallery: what was clicked elsewhere.

    Args:
        label: A class or "".
        choice: A class or "".
        scores: Lowest and highest score of the first choice, in per cent.
    """
    st.session_state[LABEL] = label
    st.session_state[CHOICE] = choice
    st.session_state[SCORES] = scores
    st.session_state[TEXT] = ""
    st.session_state[_WRONG] = False
    st.session_state[_SHOWN] = AT_ONCE


@st.fragment
def show_gallery(run: Run) -> None:
    """The images that the filters leave, with what the model said of each."""
    with errors_shown():
        wanted, order = _filters(run)
        found = gallery.chosen(results.images(run), wanted, order)
        _headline(run, wanted, found)
        shown = st.session_state.setdefault(_SHOWN, AT_ONCE)
        _grid(run, found.head(shown))
        if len(found) > shown and st.button(
            f"Show {min(AT_ONCE, len(found) - shown)} more", icon=":material/add:"
        ):
            st.session_state[_SHOWN] = shown + AT_ONCE
            st.rerun(scope="fragment")


def _filters(run: Run) -> tuple[Filter, Any]:
    classes = ["", *results.split(run).classes]
    for key, empty in ((LABEL, ""), (CHOICE, ""), (SCORES, _ANY), (TEXT, "")):
        # Another run may have other classes.
        kept = st.session_state.setdefault(key, empty)
        if key in (LABEL, CHOICE) and kept not in classes:
            st.session_state[key] = empty

    def named(name: str) -> str:
        return name or "Any"

    label, choice, order = st.columns([1, 1, 1.6], vertical_alignment="bottom")
    label.selectbox("Label", classes, format_func=named, key=LABEL)
    choice.selectbox("First choice", classes, format_func=named, key=CHOICE)
    with order:
        sorting = st.segmented_control(
            "Order",
            list(ORDERS),
            format_func=lambda key: ORDERS[key],
            default="worst",
            required=True,
            key=_ORDER,
        )
    with st.expander("More filters", icon=":material/filter_alt:"):
        scores, text, wrong = st.columns(3, vertical_alignment="bottom")
        scores.slider(
            "Score of the first choice", 0, 100, step=1, format="%d %%", key=SCORES
        )
        text.text_input("Patient or file name holds", key=TEXT)
        wrong.checkbox("Only wrong first choices", key=_WRONG)
    low, high = st.session_state[SCORES]
    wanted = Filter(
        label=st.session_state[LABEL],
        choice=st.session_state[CHOICE],
        low=low / 100,
        high=high / 100,
        text=st.session_state[TEXT],
        wrong=st.session_state[_WRONG],
    )
    return wanted, sorting


def _headline(run: Run, wanted: Filter, found: pd.DataFrame) -> None:
    words = [f"label {plain(wanted.label)}"] if wanted.label else []
    words += [f"first choice {plain(wanted.choice)}"] if wanted.choice else []
    if (wanted.low, wanted.high) != (0, 1):
        words.append(f"score {100 * wanted.low:.0f} to {100 * wanted.high:.0f} %")
    count = f"{len(found):,} image{'' if len(found) == 1 else 's'}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{count}**" + (f": {', '.join(words)}" if words else ""))
        if wanted != Filter():
            st.button("All images", icon=":material/filter_alt_off:", on_click=ask_for)
        if len(found):
            csv_button(found.drop(columns="position"), "images", run)


def _grid(run: Run, rows: pd.DataFrame) -> None:
    if rows.empty:
        st.caption("No image of the test split is like this.")
        return
    pictures = small_pictures(run, list(rows["path"]))
    marked = set(gallery.doubtful_labels(run))
    with st.container(horizontal=True, gap="small"):
        for row, picture in zip(rows.itertuples(), pictures, strict=True):
            with st.container(width=SIDE, gap="xxsmall"):
                _tile(run, row, picture, row.path in marked)


def _tile(run: Run, row: Any, picture: bytes | str, marked: bool) -> None:
    if isinstance(picture, str):
        st.caption(plain(picture))
    else:
        alt = f"Image with label {row.label}, first choice {row.choice}"
        st.image(picture, width=SIDE, alt=alt)
    right = row.label == row.choice
    choice = f"{plain(row.choice)} {plain(plots.per_cent(row.score))}"
    if right:
        st.caption(choice)
    else:
        own = plain(plots.per_cent(row.label_score))
        st.caption(f"**{choice}**, label {plain(row.label)} {own}")
    flag = ":material/flag: " if marked else ""
    if st.button(f"{flag}Look closer", key=f"open-{row.path}", width="stretch"):
        _look_closer(run, row)


@st.dialog("One image", width="large")
def _look_closer(run: Run, row: Any) -> None:
    """The image, every class's score and where the network looked."""
    with errors_shown():
        st.text(row.path + (f", patient {row.patient}" if row.patient else ""))
        st.markdown(f"Label in the data set: **{plain(row.label)}**")
        doubtful = st.checkbox(
            "This label looks wrong",
            value=row.path in gallery.doubtful_labels(run),
            key=f"doubt-{row.path}",
            help="Marks it in this run's list, which can be exported. Nothing in the "
            "data set is changed.",
        )
        if doubtful != (row.path in gallery.doubtful_labels(run)):
            gallery.mark_label(run, row.path, doubtful)
        preprocessing = run.model_facts.preprocessing
        case = dataset_case(file_of(run, row.path), row.label, preprocessing)
        with st.spinner("Asking the model …"):
            scores = scores_of(run, [case])[0]
        colours = plots.class_colours(run.model_facts.class_names)
        show_scores(run, case, scores, colours, bar_order(run, scores, []))
        show_pictures(run, case, scores)
