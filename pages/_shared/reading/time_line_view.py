"""Several images of a patient over time: probabilities and sizes, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.recist import LARGEST_MM
from medmodel.evaluation.clinical.time_line import (
    USUAL_PATTERN,
    dates_in_names,
)
from medmodel.language import N_, _, translate
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.consent import ask_consent
from pages._shared.common.legible import legible, one_of
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, refused, uploaded
from pages._shared.prediction.measurements import drawing_of
from pages._shared.prediction.prediction_cache import ask
from pages._shared.prediction.prediction_view import show_original
from pages._shared.prediction.uploaded_files import uploaded_files
from pages._shared.reading.dated_answers import DatedImage, show_dated_answers
from pages._shared.reading.kept_values import keep_value
from pages._shared.reading.outline_time_line import show_outline_time_line
from pages._shared.reading.time_line_checks import provenance, show_checks

PAGE = "follow_up"
MOST_IMAGES = 20
_SOURCES = {
    "typed": N_("typed"),
    "names": N_("from file names"),
    "headers": N_("from DICOM headers"),
}


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
    show_dated_answers(run, sorted(images, key=lambda image: image.day))


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
        source = one_of(
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
