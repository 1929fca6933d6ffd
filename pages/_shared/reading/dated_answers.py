"""Probabilities and sizes of a patient over time: sentences, figures and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION
from medmodel.evaluation.calibration.temperature_scaling import apply_temperature
from medmodel.evaluation.clinical.recist import REPEATABILITY, Visit
from medmodel.evaluation.clinical.time_line import (
    Reading,
    is_within_error,
    reading_of,
    size_visits,
)
from medmodel.language import _, format_date
from medmodel.predictor import shared
from medmodel.reports import plots
from medmodel.reports.follow_up_figure import probability_figure, size_figure
from medmodel.runs.run import Run
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import table_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain
from pages._shared.prediction.ood_view import is_unlike_training
from pages._shared.prediction.prediction_cache import Answer, asking
from pages._shared.reading.follow_up_view import doubling_words, span_words

_CHANGES = 16
"""Changed copies of each image that show how far its probabilities move."""


@dataclass(frozen=True)
class DatedImage:
    """One image of the time line.

    Args:
        day: When it was taken.
        size: Of the lesion in mm; None where it was not measured.
        answer: What the model says of it.
    """

    day: date
    size: float | None
    answer: Answer


def show_dated_answers(run: Run, images: Sequence[DatedImage]) -> None:
    """Probability of a class and size over time, as sentences, figures and a table.

    Args:
        run: The model's run.
        images: One or more, in the order of their dates.
    """
    classes = images[0].answer.classes
    last = images[-1].answer.first_choice
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            _("Class"), classes, index=last, key=f"time-line-class-{run.id}"
        )
        error = st.slider(
            _("Repeatability of a diameter in %"),
            *(0, 30, round(100 * REPEATABILITY)),
            key="time-line-error",
        )
    position = classes.index(name)
    familiar = [im for im in images if not is_unlike_training(im.answer)]
    with st.spinner(asking()):
        readings = [_reading(run, image.answer, position) for image in familiar]
    visits = size_visits(
        [im.day for im in images], [im.size for im in images], error / 100
    )
    for sentence in time_line_sentences(name, familiar, readings, visits):
        st.markdown(f"**{plain(sentence)}**")
    if familiar:
        drawing = probability_figure(
            [im.day for im in familiar],
            {name: readings},
            plots.class_colours(classes),
        )
        show_figure(drawing, "time-line-class", _("Probability over time"))
    if any(image.size is not None for image in images):
        drawing = size_figure(visits, error / 100)
        show_figure(drawing, "time-line-size", _("Size over time"))
    table = time_line_table(name, images, familiar, readings, visits)
    show_table(table, hide_index=True, alt=_("The images in the order of their dates"))
    st.caption(
        _(
            "Bars of a probability: 95 % of its values when the image is slightly "
            "turned, shifted, scaled and made brighter or darker ({changes} times). "
            "They do not hold how a scanner or a pose differs from one visit to the "
            "next. Arithmetic, and no more.",
            changes=_CHANGES,
        ),
        help=meaning("repeatability", "doubling time"),
    )
    table_button(table, "time-line")


def _reading(run: Run, answer: Answer, position: int) -> Reading:
    """The class's probability, and its range over small changes; asked once."""
    key = f"time-line-{run.id}-{run.model_path.stat().st_mtime_ns}-{answer.case.digest}"
    if key not in st.session_state:
        copies = np.stack([answer.pixels] * _CHANGES)
        changed = shared().augment(copies, MEDICAL_AUGMENTATION)
        st.session_state[key] = np.stack(
            [prediction.raw for prediction in shared().ask(run.id, changed)]
        )
    scores: np.ndarray = st.session_state[key]
    temperature = answer.prediction.temperature
    if temperature is not None:
        scores = apply_temperature(scores, temperature.value)
    return reading_of(float(answer.probabilities[position]), scores[:, position])


def time_line_sentences(
    name: str,
    familiar: Sequence[DatedImage],
    readings: Sequence[Reading],
    visits: Sequence[Visit],
) -> list[str]:
    """The change from the first to the last image in words.

    Args:
        name: The class.
        familiar: Images whose probabilities are shown, in order.
        readings: Of that class, one for each.
        visits: Of the lesion, one for each image.
    """
    sentences = []
    if len(readings) > 1:
        first, last = readings[0], readings[-1]
        values = {
            "name": name,
            "span": span_words(familiar[0].day, familiar[-1].day),
            "first": plots.per_cent(first.value),
            "last": plots.per_cent(last.value),
        }
        if is_within_error(first, last):
            text = _(
                "{name}: {first} to {last} in {span}, a change within the error "
                "of measuring.",
                **values,
            )
        else:
            text = _("{name}: {first} to {last} in {span}.", **values)
        sentences.append(text)
    measured = [visit for visit in visits if visit.total is not None]
    if len(measured) > 1:
        sentences.append(_size_sentence(measured))
    return sentences


def _size_sentence(measured: Sequence[Visit]) -> str:
    first, last = measured[0], measured[-1]
    if last.change is None:
        return _("Size: {size:.1f} mm at the last date.", size=last.total)
    values = {
        "first": first.total,
        "last": last.total,
        "change": 100 * last.change,
        "span": span_words(first.day, last.day),
    }
    if last.within_error:
        return _(
            "Size: {first:.1f} to {last:.1f} mm ({change:+.0f} %) in {span}, a "
            "change within the error of measuring.",
            **values,
        )
    return _(
        "Size: {first:.1f} to {last:.1f} mm ({change:+.0f} %) in {span}.", **values
    )


def time_line_table(
    name: str,
    images: Sequence[DatedImage],
    familiar: Sequence[DatedImage],
    readings: Sequence[Reading],
    visits: Sequence[Visit],
) -> pd.DataFrame:
    """One row for each image, as people read it.

    Args:
        name: The class.
        images: All, in order.
        familiar: Those whose probabilities are shown.
        readings: Of the class, one for each of these.
        visits: Of the lesion, one for each image.
    """
    by_day = {im.day: reading for im, reading in zip(familiar, readings, strict=True)}
    first = next(iter(by_day.values()), None)
    rows = []
    for image, visit in zip(images, visits, strict=True):
        reading = by_day.get(image.day)
        rows.append(
            {
                _("Date"): format_date(image.day),
                _("Image"): image.answer.case.name,
                _("Probability of {name}", name=name): _probability(reading),
                _("Since the first"): _points(first, reading),
                _("Size in mm"): "–" if image.size is None else f"{image.size:.1f}",
                _("Size since baseline"): "–"
                if visit.change is None
                else f"{100 * visit.change:+.0f} %",
                _("Volume doubles in days"): doubling_words(visit.doubling_days),
                _("Size within the error"): _("yes") if visit.within_error else "",
            }
        )
    return pd.DataFrame(rows)


def _probability(reading: Reading | None) -> str:
    if reading is None:
        return _("unlike the training data")
    low, high = plots.per_cent(reading.low), plots.per_cent(reading.high)
    return _(
        "{value} ({low} to {high})",
        value=plots.per_cent(reading.value),
        low=low,
        high=high,
    )


def _points(first: Reading | None, reading: Reading | None) -> str:
    """Change in percentage points; said to be within the error where it is."""
    if first is None or reading is None or first is reading:
        return "–"
    change = 100 * (reading.value - first.value)
    if is_within_error(first, reading):
        return _("{change:+.0f} points, within the error", change=change)
    return _("{change:+.0f} points", change=change)
