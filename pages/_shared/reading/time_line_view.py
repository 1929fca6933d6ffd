"""Several images of a patient over time: probabilities and sizes, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import DataError
from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION
from medmodel.evaluation.clinical.recist import LARGEST_MM, REPEATABILITY, Visit
from medmodel.evaluation.clinical.time_line import (
    USUAL_PATTERN,
    Reading,
    dates_in_names,
    is_within_error,
    reading_of,
    size_visits,
)
from medmodel.evaluation.temperature_scaling import apply_temperature
from medmodel.language import N_, _, format_date, translate
from medmodel.predictor import shared
from medmodel.reports import plots
from medmodel.reports.follow_up_figure import probability_figure, size_figure
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.consent import ask_consent
from pages._shared.common.downloads import csv_text
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, refused, uploaded
from pages._shared.prediction.measurements import drawing_of
from pages._shared.prediction.ood_view import is_unlike_training
from pages._shared.prediction.prediction_cache import Answer, ask, asking
from pages._shared.prediction.prediction_view import show_original
from pages._shared.prediction.uploaded_files import uploaded_files
from pages._shared.reading.follow_up_view import doubling_words, span_words
from pages._shared.reading.kept_values import keep_value
from pages._shared.reading.outline_time_line import show_outline_time_line
from pages._shared.reading.time_line_checks import provenance, show_checks

PAGE = "follow_up"
MOST_IMAGES = 20
_CHANGES = 16
"""Changed copies of each image that show how far its probabilities move."""
_SOURCES = {
    "typed": N_("typed"),
    "names": N_("from file names"),
    "headers": N_("from DICOM headers"),
}


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


def show_time_line() -> None:
    """Images, their dates and sizes, and what follows; kept while the session lasts."""
    with errors_shown():
        run = pick_model(PAGE, segmentations=True)
        if run is None:
            if not any_model(segmentations=True):
                widgets.empty_state(
                    _("No model yet. When one is trained, it can follow images."),
                    widgets.TRAIN,
                    _("Train a model"),
                )
            return
        if not ask_consent(PAGE):
            return
        cases = _ask_images(run)
        if cases:
            _show_cases(run, cases)


def _ask_images(run: Run) -> list[Case]:
    files = uploaded_files(
        _("Images of one patient: drop or choose several"), "time-line-files"
    )
    st.caption(
        _(
            "Images, dates and sizes stay in this session and are written nowhere; the "
            "table can be downloaded."
        )
    )
    if len(files) > MOST_IMAGES:
        raise DataError(
            _(
                "These are {images} images: a time line has {most} at most.",
                images=len(files),
                most=MOST_IMAGES,
            )
        )
    cases = uploaded(files, run.model_facts.preprocessing, PAGE)
    for case in refused(PAGE):
        st.error(plain(translate(case.reason)), icon=":material/broken_image:")
    return cases


def _show_cases(run: Run, cases: Sequence[Case]) -> None:
    for case in cases:
        keep_value(f"day-{case.key}")
        keep_value(f"size-{case.key}")
    _ask_dates(cases)
    _ask_rows(cases)
    show_checks(cases)
    _offer_measuring(cases)
    dated = [case for case in cases if _day(case)]
    if len(dated) < 2:
        st.info(_("Give two images a date at least; the earliest is the baseline."))
        return
    days = [day for case in dated if (day := _day(case))]
    if len(set(days)) < len(days):
        raise DataError(
            _("Two images have the same date: a time line has one for each date.")
        )
    if run.config.segments:
        ordered = sorted(zip(days, dated, strict=True), key=lambda pair: pair[0])
        show_outline_time_line(run, [(day, case, _size(case)) for day, case in ordered])
        return
    answers = ask(run, dated)
    images = [
        DatedImage(day, _size(case), answer)
        for case, answer in zip(dated, answers, strict=True)
        if (day := _day(case))
    ]
    _show_result(run, sorted(images, key=lambda image: image.day))


def _day(case: Case) -> date | None:
    day: date | None = st.session_state.get(f"day-{case.key}")
    return day


def _size(case: Case) -> float | None:
    size: float | None = st.session_state.get(f"size-{case.key}")
    return size


def _ask_dates(cases: Sequence[Case]) -> None:
    """Where dates come from; what is read is put into the fields, to be changed."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        keep_value("time-line-dates", "typed")
        source = st.segmented_control(
            _("Dates"),
            list(_SOURCES),
            format_func=legible(lambda key: _(_SOURCES[key])),
            required=True,
            key="time-line-dates",
        )
        pattern = USUAL_PATTERN
        if source == "names":
            pattern = st.text_input(
                _("Pattern of the date (regular expression)"),
                USUAL_PATTERN,
                max_chars=200,
                key="time-line-pattern",
                help=_("Three groups: year, month and day; or one for all of them."),
            )
    if source == "typed":
        return
    if source == "headers":
        audit.record("header_dates", images=len(cases))
    told = f"{source} {pattern}"
    new = [c for c in cases if st.session_state.get(f"day-from-{c.key}") != told]
    if source == "headers":
        days = [_date_in_header(case) for case in new]
    else:
        days = dates_in_names([case.name for case in new], pattern)
    for case, day in zip(new, days, strict=True):
        st.session_state[f"day-from-{case.key}"] = told
        st.session_state[f"day-{case.key}"] = day
    without = [case.name for case in cases if _day(case) is None]
    if without:
        st.caption(plain(_("No date: {files}. Type it.", files=", ".join(without))))


def _date_in_header(case: Case) -> date | None:
    return provenance(case).day


def _ask_rows(cases: Sequence[Case]) -> None:
    for number, case in enumerate(cases, 1):
        image, day, size = st.columns([2, 1, 1], vertical_alignment="bottom")
        with image.container(horizontal=True, vertical_alignment="center"):
            st.image(
                case.preview, width=64, alt=_("Small view of {file}", file=case.name)
            )
            st.text(f"{number}. {case.name}")
        day.date_input(
            _("Date of image {number}", number=number),
            value=None,
            min_value=date(1895, 11, 8),
            max_value=date(2199, 12, 31),
            key=f"day-{case.key}",
        )
        size.number_input(
            _("Size of image {number} in mm", number=number),
            min_value=0.0,
            max_value=LARGEST_MM,
            value=None,
            step=0.1,
            placeholder=_("not measured"),
            key=f"size-{case.key}",
        )


def _offer_measuring(cases: Sequence[Case]) -> None:
    """The viewer with its tools for one image; what was drawn becomes its size."""
    with st.expander(_("Measure on the image"), icon=":material/straighten:"):
        names = {case.key: f"{n}. {case.name}" for n, case in enumerate(cases, 1)}
        key = st.selectbox(
            _("Image"), list(names), format_func=names.__getitem__, key="time-line-case"
        )
        case = next(case for case in cases if case.key == key)
        show_original(case)
        st.button(
            _("Take the longest diameter as its size"),
            icon=":material/south_west:",
            on_click=_take_size,
            args=(case,),
            key="time-line-take",
        )
        if problem := st.session_state.pop("time-line-problem", ""):
            st.warning(_(problem), icon=":material/straighten:")


_NO_MM = N_(
    "No line or ellipse in mm is drawn on this image. Where its file does not say how "
    "large a pixel is, calibrate a line of known length first."
)


def _take_size(case: Case) -> None:
    lengths = [
        length
        for _drawn, measured in drawing_of(case).measured()
        if measured.in_mm
        for length in (measured.length, *(measured.diameters or ()))
        if length is not None
    ]
    if not lengths:
        st.session_state["time-line-problem"] = _NO_MM
        return
    st.session_state[f"size-{case.key}"] = round(min(max(lengths), LARGEST_MM), 1)


def _show_result(run: Run, images: Sequence[DatedImage]) -> None:
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
    st.download_button(
        _("Download the table (CSV)"),
        csv_text(table),
        file_name="time-line.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


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
