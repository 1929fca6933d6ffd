"""One image of a reader study: read alone, then with the model's answer beside it."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.evaluation.clinical.reader_study import (
    Answer,
    ReaderStudy,
    read_aided,
    read_alone,
)
from medmodel.evaluation.decision.predicted_class import highest_classes
from medmodel.language import _
from medmodel.reports import plots
from medmodel.reports.case.predicted_class import predicted_sentence
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import (
    decided_by_threshold,
    predicted_position,
    score_array,
)
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.image_view import show_image
from pages._shared.common.keyboard import primary_button
from pages._shared.common.words import plain
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of

_MOST_BARS = 8


def show_progress(study: ReaderStudy) -> None:
    """How many images were read; nothing once all were."""
    done, images = len(study.complete), len(study.paths)
    if done < images:
        words = _("Image {number} of {images}", number=done + 1, images=images)
        st.progress(done / images, words)


def show_reading(run: Run, study: ReaderStudy) -> None:
    """The current image, and the question that is open about it."""
    number = len(study.complete) + 1
    left, right = st.columns([1, 1], gap="large")
    with left:
        _show_image(run, study, number)
    with right:
        model = _model_answer(run, study) if study.waits_for_aided else None
        if model is not None:
            _show_first_choice(study, *model)
        answer = _ask(study, number)
        if model is not None:
            _show_scores(study, model[0])
    if answer is None:
        return
    if study.waits_for_aided:
        read_aided(run, study, answer)
    else:
        read_alone(run, study, answer)
    st.rerun()


def _show_image(run: Run, study: ReaderStudy, number: int) -> None:
    # Its name and folder would say the class.
    preprocessing = run.model_facts.preprocessing
    case = dataset_case(data_folder(run), study.current, "", preprocessing)
    words = _("Image {number} of {images}", number=number, images=len(study.paths))
    show_image(pixels_of(case), words, _("The image to be read"))


def _model_answer(
    run: Run, study: ReaderStudy
) -> tuple[NDArray[np.float64], int, bool]:
    """Scores of the image, `(classes,)`, and position of its predicted class.

    As Evaluate counts them; and whether a threshold decided it.
    """
    table = run_cache.predictions(run)
    row = table[table["path"] == study.current]
    first = predicted_position(row.iloc[0], study.classes)
    decided = decided_by_threshold(row.iloc[0], study.classes)
    return score_array(row, study.classes)[0], first, decided


def _show_first_choice(
    study: ReaderStudy, scores: NDArray[np.float64], first: int, decided: bool
) -> None:
    if not decided and len(highest_classes(study.classes, scores)) > 1:
        st.markdown(f"**{plain(predicted_sentence(study.classes, scores))}**")
        return
    share = plain(plots.per_cent(float(scores[first])))
    name = plain(study.classes[first])
    st.markdown(_("**The model says: {name} ({share})**", name=name, share=share))


def _show_scores(study: ReaderStudy, scores: NDArray[np.float64]) -> None:
    order = np.argsort(-scores, kind="stable")[:_MOST_BARS]
    names = [study.classes[k] for k in order]
    colours = plots.class_colours(study.classes)
    drawing = plots.probability_bars(names, scores[order], colours)
    show_figure(drawing, f"model-{study.id}", _("The model's scores"), download=False)
    st.caption(
        _(
            "Scores before calibration. A model can be wrong and sure; the true class "
            "is not shown."
        )
    )


def _ask(study: ReaderStudy, number: int) -> Answer | None:
    """Class and confidence; None until the button or Enter is pressed."""
    aided = study.waits_for_aided
    place = f"{study.id}-{number}-{aided}"
    began = st.session_state.setdefault(f"began-{place}", time.monotonic())
    before = study.readings[-1].alone if aided else None
    st.markdown(
        _("**Your reading with the model**") if aided else _("**Your reading**")
    )
    label = st.radio(
        _("Class"),
        study.classes,
        index=study.classes.index(before.label) if before else None,
        format_func=plain,
        horizontal=True,
        key=f"class-{place}",
    )
    least = -(-100 // len(study.classes))
    confidence = st.slider(
        _("Confidence in %"),
        least,
        100,
        max(before.confidence, least) if before else max(least, 75),
        key=f"confidence-{place}",
        help=_("{least} % is a guess, 100 % is certainty.", least=least),
    )
    text = _("Next image") if aided else _("Commit, and show the model")
    pressed = primary_button(text, "Enter", disabled=label is None)
    if not pressed or label is None:
        return None
    return Answer(label, int(confidence), time.monotonic() - began)
