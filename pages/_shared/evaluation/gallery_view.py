"""From a number to its images: filters, a gallery, one image closely."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.evaluation.groups.subgroups import ALL, Subgroup
from medmodel.evaluation.review import gallery
from medmodel.evaluation.review.gallery import ORDERS, ImageFilter
from medmodel.language import _, ngettext
from medmodel.reports import plots
from medmodel.reports.case.predicted_class import with_tie
from medmodel.runs.run import Run
from pages._shared.common import run_cache, widgets
from pages._shared.common.downloads import csv_button
from pages._shared.common.legible import legible, one_of
from pages._shared.common.thumbnails import SIDE, small_images
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import data_folder, dataset_case
from pages._shared.prediction.prediction_cache import ask
from pages._shared.prediction.prediction_view import (
    bar_order,
    say_uncalibrated,
    show_probabilities,
    show_saliency,
)

AT_ONCE = 12
LABEL = "image-label"
CHOICE = "image-choice"
SCORES = "image-scores"
OF = "image-of"
_ORDER = "image-order"
_WRONG = "image-wrong"
_SHOWN = "images-shown"
_ANY = (0.0, 100.0)
_NOT = "≠ "
"""Before a class's name among the labels: every class but this."""


def ask_for(
    label: str = "",
    choice: str = "",
    scores: tuple[float, float] = _ANY,
    of: str = "",
    but: str = "",
    wrong: bool = False,
) -> None:
    """Sets the filters of the gallery: what was clicked elsewhere.

    Args:
        label: A class or "".
        choice: A class or "".
        scores: The score lies above the first and is at most the second, in per cent.
        of: The class whose score is meant; "" for the predicted class's.
        but: A class that the label is not, or "".
        wrong: Whether only misclassified images are meant.
    """
    st.session_state[LABEL] = _NOT + but if but else label
    st.session_state[CHOICE] = choice
    st.session_state[SCORES] = scores
    st.session_state[OF] = of
    st.session_state[_WRONG] = wrong
    st.session_state[_SHOWN] = AT_ONCE


@st.fragment
def show_gallery(run: Run, group: Subgroup = ALL) -> None:
    """The images that the filters leave, with what the model said of each.

    Args:
        run: A finished run.
        group: The part of its test images that is looked at.
    """
    with errors_shown():
        filters, order = _filters(run, group)
        data = run_cache.split(run)
        images = gallery.select_images(run_cache.images(run), filters, order, data)
        _headline(run, filters, images)
        count = st.session_state.setdefault(_SHOWN, AT_ONCE)
        _grid(run, images.head(count))
        if len(images) > count and st.button(
            _("Show {count} more", count=min(AT_ONCE, len(images) - count)),
            icon=":material/add:",
        ):
            st.session_state[_SHOWN] = count + AT_ONCE
            st.rerun(scope="fragment")


def _filters(run: Run, group: Subgroup) -> tuple[ImageFilter, Any]:
    classes = run_cache.split(run).classes
    others = [_NOT + name for name in classes] if len(classes) > 2 else []
    offered = {
        LABEL: ["", *classes, *others],
        CHOICE: ["", *classes],
        OF: ["", *classes],
    }
    for key, options in offered.items():
        # Another run may have other classes.
        if st.session_state.setdefault(key, "") not in options:
            st.session_state[key] = ""
    st.session_state.setdefault(SCORES, _ANY)

    def named(name: str) -> str:
        if name in others:
            return _("not {name}", name=name.removeprefix(_NOT))
        return name or _("Any")

    label, choice = st.columns(2)
    label.selectbox(_("True class"), offered[LABEL], format_func=named, key=LABEL)
    choice.selectbox(
        _("Predicted class"), offered[CHOICE], format_func=named, key=CHOICE
    )
    sorting = one_of(
        _("Order"),
        list(ORDERS),
        format_func=legible(lambda key: _(ORDERS[key])),
        default="worst",
        required=True,
        key=_ORDER,
    )
    with st.expander(_("More filters"), icon=":material/filter_alt:"):
        score, scores, wrong = st.columns([1, 1.6, 1], vertical_alignment="bottom")
        score.selectbox(
            _("Score of"),
            offered[OF],
            format_func=lambda name: name or _("The predicted class"),
            key=OF,
        )
        scores.slider(
            _("Lies within"), 0.0, 100.0, step=0.5, format="%.1f %%", key=SCORES
        )
        wrong.checkbox(_("Only wrong predicted classes"), key=_WRONG)
    return _wanted(others, group), sorting


def _wanted(others: list[str], group: Subgroup) -> ImageFilter:
    label = st.session_state[LABEL]
    low, high = st.session_state[SCORES]
    return ImageFilter(
        label="" if label in others else label,
        but=label.removeprefix(_NOT) if label in others else "",
        choice=st.session_state[CHOICE],
        low=low / 100,
        high=high / 100,
        of=st.session_state[OF],
        wrong=st.session_state[_WRONG],
        group=group,
    )


def _filter_words(filters: ImageFilter) -> list[str]:
    """What the filters ask for, each in some words."""
    words = []
    if filters.label:
        words.append(_("true class {name}", name=plain(filters.label)))
    if filters.but:
        words.append(_("true class not {name}", name=plain(filters.but)))
    if filters.choice:
        words.append(_("predicted class {name}", name=plain(filters.choice)))
    low, high = 100 * filters.low, 100 * filters.high
    if (filters.low, filters.high) != (0, 1) and filters.of:
        of = plain(filters.of)
        words.append(
            _("score for {name} {low:g} to {high:g} %", name=of, low=low, high=high)
        )
    elif (filters.low, filters.high) != (0, 1):
        words.append(_("score {low:g} to {high:g} %", low=low, high=high))
    if str(filters.group):
        words.append(plain(filters.group))
    return words


def _headline(run: Run, filters: ImageFilter, images: pd.DataFrame) -> None:
    words = _filter_words(filters)
    count = ngettext("{count:,} image", "{count:,} images", len(images))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{count}**" + (f": {', '.join(words)}" if words else ""))
        if run.config.training == "frozen":
            st.page_link(
                widgets.REVIEW,
                label=_("Review labels"),
                icon=":material/rate_review:",
                query_params={"run": run.tested_model or run.id},
            )
        if filters != ImageFilter(group=filters.group):
            st.button(
                _("No filters"), icon=":material/filter_alt_off:", on_click=ask_for
            )
        if len(images):
            csv_button(images.drop(columns="position"), "images", run)


def _grid(run: Run, rows: pd.DataFrame) -> None:
    if rows.empty:
        st.caption(_("No image of the test split is like this."))
        return
    thumbnails = small_images(run, list(rows["path"]))
    marked = set(gallery.doubtful_labels(run))
    with st.container(horizontal=True, gap="small"):
        tiles = zip(rows.itertuples(), thumbnails, strict=True)
        for number, (row, thumbnail) in enumerate(tiles, 1):
            with st.container(width=SIDE, gap="xxsmall"):
                _tile(row, thumbnail)
                # Buttons of one name cannot be told apart by ear.
                flag = ":material/flag: " if row.path in marked else ""
                title = _("Details {number}", number=number)
                if st.button(f"{flag}{title}", key=f"open-{row.path}", width="stretch"):
                    _look_closer(run, row)


def _tile(row: Any, thumbnail: bytes | str) -> None:
    if isinstance(thumbnail, str):
        st.caption(plain(thumbnail))
    else:
        alt = _(
            "Image with true class {label}, predicted class {prediction}",
            label=row.label,
            prediction=with_tie(row.choice, row.tied),
        )
        st.image(thumbnail, width=SIDE, alt=alt)
    right = row.label == row.choice
    choice = f"{plain(row.choice)} {plain(plots.per_cent(row.score))}"
    choice = with_tie(choice, row.tied)
    if right:
        st.caption(choice)
    else:
        label_score = plain(plots.per_cent(row.label_score))
        st.caption(
            _(
                "**{prediction}**, true class {label} {score}",
                prediction=choice,
                label=plain(row.label),
                score=label_score,
            )
        )


def _look_closer(run: Run, row: Any) -> None:
    # A decorator would say the title once for all languages.
    st.dialog(_("One image"), width="large")(_show_closely)(run, row)


def _show_closely(run: Run, row: Any) -> None:
    """The image, every class's score and where the network looked."""
    with errors_shown():
        st.text(
            _("{file}, patient {patient}", file=row.path, patient=row.patient)
            if row.patient
            else row.path
        )
        st.markdown(
            _("True class in the data set: **{label}**", label=plain(row.label))
        )
        doubtful = st.checkbox(
            _("This label looks wrong"),
            value=row.path in gallery.doubtful_labels(run),
            key=f"doubt-{row.path}",
            help=_(
                "Marks it in this run's list, which can be exported. Nothing in "
                "the data set is changed."
            ),
        )
        if doubtful != (row.path in gallery.doubtful_labels(run)):
            gallery.mark_label(run, row.path, doubtful)
        preprocessing = run.model_facts.preprocessing
        case = dataset_case(data_folder(run), row.path, row.label, preprocessing)
        with st.spinner(_("Asking the model …")):
            (answer,) = ask(run, [case], calibrated=False)
        show_probabilities(
            answer, plots.class_colours(answer.classes), bar_order(answer)
        )
        say_uncalibrated([run])
        show_saliency(answer)
