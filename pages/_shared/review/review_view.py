"""One image after the other whose label is worth a look; a key gives its class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from medmodel.core import audit
from medmodel.core.errors import value_or_problem
from medmodel.data.corrections.label_corrections import Correction, correct, undo
from medmodel.data.datasets import index_folder
from medmodel.data.folders import safe_folder
from medmodel.data.layouts.split_names import SPLIT_TITLES
from medmodel.evaluation.review.refit import corrections_of, original_run
from medmodel.evaluation.review.review_order import ORDERS, Order, images_to_review
from medmodel.language import _, ngettext
from medmodel.reports import plots
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import score_columns
from medmodel.runs.tables.split import read_split
from pages._shared.common import widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.image_view import show_image
from pages._shared.common.keyboard import key_button
from pages._shared.common.legible import legible, one_of
from pages._shared.common.words import plain
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of

_KEYS = "123456789"
_ANSWERS = "review-answers"
"""Where the session keeps the ids of its answers."""
_PRESSED = "review-pressed"
"""Where it keeps what was pressed: an answer, or that the last one is taken back."""
_SKIPPED = "review-skipped"
"""Where it keeps the images of each data set that were put off: nobody must answer by
guessing."""


def show_review(run: Run) -> None:
    """The image that would teach most, its label and the model's scores, the keys."""
    _keep_what_was_pressed(run)
    reviewed = corrections_of(run)
    split, order = _pick_images()
    skipped = _skipped(_place(run))
    remaining = images_to_review(run, split, order, {c.path for c in reviewed})
    rows = remaining[~remaining["path"].isin(list(skipped))]
    if rows.empty:
        if remaining.empty:
            st.success(_("Every image of this split was reviewed."))
        else:
            st.info(_("Every other image of this split was reviewed."))
            title = _("Show skipped images again ({count:,})", count=len(remaining))
            st.button(title, on_click=skipped.clear)
        _undo_button(run, reviewed)
        return
    row = rows.iloc[0]
    path = str(row["path"])
    # Of a refit, whose own labels may have been corrected, what the data set says.
    label = _labels(run).get(path, str(row["label"]))
    classes = run.model_facts.class_names
    image, answers = st.columns([1, 1], gap="medium")
    pixels, problem = value_or_problem(_pixels, run, path, label)
    with image:
        count = ngettext(
            "{count:,} image left", "{count:,} images left", len(remaining)
        )
        if pixels is None:
            st.error(plain(problem), icon=":material/error:")
        else:
            show_image(pixels, count, _("The image whose label is reviewed"))
    with answers:
        st.markdown(_("Label in the data set: **{label}**", label=plain(label)))
        if pixels is not None:
            _show_scores(run, classes, row[score_columns(classes)].to_numpy(float))
            st.markdown(_("**Which class is right?**"))
            _ask(_place(run), path, label, classes)
        skip = partial(skipped.add, path)
        key_button(_("s · Skip"), "s", skip, of=path, icon=":material/skip_next:")
        _undo_button(run, reviewed)


def _pick_images() -> tuple[str, Order]:
    """Which images are reviewed, and in which order."""
    left, right = st.columns([1, 1.3], vertical_alignment="bottom")
    with left:
        split = one_of(
            _("Images"),
            list(SPLIT_TITLES),
            default="train",
            required=True,
            format_func=legible(lambda key: _(SPLIT_TITLES[key])),
            key="review-split",
        )
    with right:
        order = one_of(
            _("Order"),
            list(ORDERS),
            default="disagrees",
            required=True,
            format_func=legible(lambda key: _(ORDERS[key])),
            key="review-order",
        )
    if split == "test":
        st.warning(
            _(
                "A corrected label of a test image changes what the test measures: "
                "numbers of a refit are then of other labels than those of its run. "
                "Test images never train a model, corrected or not. Whoever corrects "
                "only what the model got wrong makes the test kinder than it is."
            ),
            icon=":material/warning:",
        )
    return split, order


def _pixels(run: Run, path: str, label: str) -> NDArray[np.uint8]:
    """The image as it is shown.

    Raises:
        DataError: It is not there any more, or cannot be read.
    """
    preprocessing = run.model_facts.preprocessing
    return pixels_of(dataset_case(data_folder(run), path, label, preprocessing))


def _show_scores(run: Run, classes: list[str], scores: NDArray[np.float64]) -> None:
    bars = np.argsort(-scores, kind="stable")[: len(_KEYS)]
    names = [classes[at] for at in bars]
    drawing = plots.probability_bars(names, scores[bars], plots.class_colours(classes))
    alt = _("The model's scores")
    show_figure(drawing, f"review-{run.id}", alt, download=False)


def _ask(place: Path, path: str, label: str, classes: list[str]) -> None:
    # Side by side, so that they stand on a projector's first screen.
    columns: list[DeltaGenerator] = []
    for number, name in enumerate(classes):
        key = _KEYS[number] if number < len(_KEYS) else ""
        title = plain(f"{key} · {name}" if key else name)
        columns = columns or st.columns(2)
        answer = partial(_press, place, Correction(path, label, name))
        with columns.pop(0):
            if key:
                key_button(title, key, answer, of=path)
            else:
                at = f"button-{path}-{title}"
                st.button(title, key=at, width="stretch", on_click=answer)


def _undo_button(run: Run, reviewed: list[Correction]) -> None:
    title = _("u · Undo the last answer")
    # Somebody else may have answered since: of this session's the last.
    answers = st.session_state.get(_ANSWERS, [])
    here = [answer for answer in reviewed if answer.id in answers]
    last = (here or reviewed)[-1].id if reviewed else ""
    icon = ":material/undo:"
    press = partial(_press, _place(run), last)
    key_button(title, "u", press, of=last, icon=icon, disabled=not reviewed)


def _skipped(place: Path) -> set[str]:
    """Images of one data set: another one may have files of the same names."""
    of_all: dict[Path, set[str]] = st.session_state.setdefault(_SKIPPED, {})
    return of_all.setdefault(place, set())


def _press(place: Path, pressed: Correction | str) -> None:
    """An answer, or the id of one that is taken back: of the image that was shown."""
    st.session_state[_PRESSED] = (place, pressed)


def _keep_what_was_pressed(run: Run) -> None:
    place, pressed = st.session_state.pop(_PRESSED, (None, None))
    if isinstance(pressed, Correction):
        correct(place, pressed)
        st.session_state.setdefault(_ANSWERS, []).append(pressed.id)
        audit.record("review_label", run=run.id, changed=pressed.changes)
    elif pressed is not None:
        undo(place, pressed)
        audit.record("undo_review", run=run.id)


def show_corrections(run: Run) -> None:
    """The changed labels, each of which can be taken back."""
    changed = [c for c in corrections_of(run) if c.changes]
    title = _("Corrected labels ({count:,})", count=len(changed))
    with st.expander(title, icon=":material/list:"):
        st.caption(
            _(
                "They are kept beside the data set; its files stay as they are. Runs "
                "that were trained before do not change."
            )
        )
        for number, correction in enumerate(reversed(changed[-50:]), 1):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(
                    _(
                        "{path}: {label} → {correction}",
                        path=correction.path,
                        label=correction.label,
                        correction=correction.correction,
                    )
                )
                title = _("Undo {number}", number=number)
                if st.button(title, key=f"undo-{correction.id}"):
                    undo(_place(run), correction.id)
                    audit.record("undo_review", run=run.id)
                    st.rerun()
        if len(changed) > 50:
            st.caption(_("The last 50 are listed."))


def _labels(run: Run) -> dict[str, str]:
    table = read_split(original_run(run, widgets.store()))
    return dict(zip(table["path"], table["label"], strict=True))


def _place(run: Run) -> Path:
    return index_folder(safe_folder(run.config.dataset))
