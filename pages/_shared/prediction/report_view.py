"""Report of one image to take away: HTML, PDF, and DICOM where the image was that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.core.storage import file_digest
from medmodel.imaging.images import thumbnail
from medmodel.imaging.measurement.measuring import Measured
from medmodel.language import _, join_sentences, translate
from medmodel.reports import plots
from medmodel.reports.case.case_report import (
    CaseReport,
    case_html,
    case_pdf,
    model_limits,
    model_rows,
)
from medmodel.reports.case.dicom_content import DicomFacts, ReportedShape
from medmodel.reports.case.dicom_report import encapsulated_pdf, structured_report
from medmodel.reports.case.dicom_source import patient_rows
from pages._shared.common.downloads import noted
from pages._shared.common.image_view import SIDE
from pages._shared.common.words import plain
from pages._shared.prediction import measurement_words
from pages._shared.prediction.cases import Case
from pages._shared.prediction.measurements import Drawing, drawing_of
from pages._shared.prediction.prediction_cache import (
    DEFAULT_OPTIONS,
    Answer,
    heatmap_of,
    is_explained,
)
from pages._shared.prediction.prediction_view import calibration_sentence, viewed

LONGEST_TEXT = 10_000
_OPACITY = 0.6
_LARGEST = 1024
"""Pixels of an image's longer side in a report."""


@dataclass(frozen=True)
class _Made:
    """All that a report is made of, in another thread and without the session."""

    answer: Answer
    report: CaseReport
    drawing: Drawing
    size: tuple[int, int]
    shown: bool
    identity: list[tuple[str, str]] | None

    def report_now(self) -> CaseReport:
        """With what is measured now, and what is known of the model."""
        measured = self.drawing.measured()
        run = self.answer.run
        return replace(
            self.report,
            measurements=[(d.name, measurement_words.facts(m)) for d, m in measured],
            measurement_notes=measurement_words.sentences(m for _d, m in measured),
            model=model_rows(run),
            limits=model_limits(run),
            identity=self.identity or (),
        )

    def html(self) -> str:
        return case_html(self.report_now())

    def pdf(self) -> bytes:
        return case_pdf(self.report_now())

    def dicom_pdf(self) -> bytes:
        case = self.answer.case
        return encapsulated_pdf(case.source, case.name, self.pdf(), self._facts())

    def dicom_report(self) -> bytes:
        case = self.answer.case
        return structured_report(case.source, case.name, case.frame, self._facts())

    def _facts(self) -> DicomFacts:
        answer = self.answer
        scores = zip(answer.classes, answer.probabilities.tolist(), strict=True)
        return DicomFacts(
            model=answer.run.title,
            model_hash=file_digest(answer.run.model_path),
            predicted=answer.classes[answer.first_choice]
            if self.shown and not answer.tied
            else "",
            tie=answer.predicted_sentence if self.shown and answer.tied else "",
            scores=dict(scores) if self.shown else {},
            shapes=[
                ReportedShape(d.name, d.shape.kind, d.shape.points, reported_numbers(m))
                for d, m in self.drawing.measured()
            ],
            shown_size=self.size,
            text=self.report.text,
            created=time.time(),
            identified=self.identity is not None,
        )


def reported_numbers(measured: Measured) -> dict[str, tuple[float, str]]:
    """Numbers of a shape with their units, by their keys in `dicom_content.NUMBERS`."""
    one, square = ("mm", "mm2") if measured.in_mm else ("px", "px")
    longer, shorter = measured.diameters or (None, None)
    values = measured.statistics
    unit = measured.value_unit
    numbers = {
        "length": (measured.length, one),
        "perimeter": (measured.perimeter, one),
        "longer_diameter": (longer, one),
        "shorter_diameter": (shorter, one),
        "area": (measured.area, square),
        "angle": (measured.angle, "deg"),
        "mean": (values.mean if values else None, unit),
        "standard_deviation": (values.deviation if values else None, unit),
        "minimum": (values.minimum if values else None, unit),
        "maximum": (values.maximum if values else None, unit),
    }
    return {k: (float(v), u) for k, (v, u) in numbers.items() if v is not None}


def show_report(answer: Answer, shown: bool) -> None:
    """A switch, then the reader's text and the files.

    Args:
        answer: The model's answer to the image.
        shown: Whether its probabilities are shown.
    """
    case = answer.case
    if not st.toggle(_("Write a report"), key=f"report-{case.key}"):
        return
    with st.container(border=True):
        text = st.text_area(
            _("Your text"),
            key=f"report-text-{case.key}",
            max_chars=LONGEST_TEXT,
            placeholder=_("Findings, impression"),
        )
        identity = _identity(case)
        image = viewed(case)
        made = _Made(
            answer,
            _report(answer, shown, text, image["layers"][0].pixels),
            drawing_of(case),
            image["size"],
            shown,
            identity,
        )
        with st.container(horizontal=True):
            _button("PDF", "pdf", "application/pdf", made.pdf, answer)
            _button("HTML", "html", "text/html", made.html, answer)
            dicom = case.file.format == "DICOM"
            problem = _dicom_problem(case) if dicom else ""
            if dicom and not problem:
                mime = "application/dicom"
                _button("DICOM SR", "sr.dcm", mime, made.dicom_report, answer)
                _button("DICOM PDF", "pdf.dcm", mime, made.dicom_pdf, answer)
        if problem:
            st.warning(plain(problem))
        st.caption(
            _(
                "Image, saliency map, probabilities, measurements, model with its "
                "hash, limits and your text. Nothing of it is kept here. A DICOM "
                "report says that it is preliminary and not verified; without names "
                "it refers to no study of an archive."
            )
        )


def _dicom_problem(case: Case) -> str:
    """Why no DICOM report can be about the image, as a sentence; "" where one can."""
    problems: dict[str, str] = st.session_state.setdefault("report-problems", {})
    if case.key not in problems:
        try:
            patient_rows(case.source, case.name)
            problems[case.key] = ""
        except MedModelError as error:
            problems[case.key] = translate(str(error))
    return problems[case.key]


def _identity(case: Case) -> list[tuple[str, str]] | None:
    """Whose image it is, where that was asked for; else None."""
    wanted = st.toggle(
        _("Name patient, study and file in the report"),
        key=f"report-names-{case.key}",
        help=_(
            "Without this the report names nobody. What is written on the image itself "
            "stays on it."
        ),
    )
    if not wanted:
        return None
    rows = [(_("File"), case.name)]
    if case.file.format == "DICOM" and not _dicom_problem(case):
        rows += patient_rows(case.source, case.name)
    return rows


def _report(answer: Answer, shown: bool, text: str, pixels: np.ndarray) -> CaseReport:
    report = CaseReport(
        image=thumbnail(pixels, _LARGEST),
        image_text=answer.case.file.text,
        predicted=_("Unlike the training data: no prediction is shown."),
        text=text.strip(),
    )
    if not shown:
        return report
    first = answer.first_choice
    name, shares = answer.classes[first], answer.probabilities
    saliency, caption = None, ""
    if is_explained(answer, first, DEFAULT_OPTIONS):
        heatmap = heatmap_of(answer, first)
        enlarged = plots.enlarged(answer.pixels, SIDE)
        saliency = plots.overlay(enlarged, heatmap, _OPACITY)
        caption = plots.heatmap_caption(heatmap, name)
    return replace(
        report,
        predicted=answer.predicted_sentence,
        saliency=saliency,
        saliency_text=caption,
        probabilities=[
            (answer.classes[k], plots.per_cent(float(shares[k])))
            for k in np.argsort(-shares, kind="stable")
        ],
        probability_note=join_sentences(
            [calibration_sentence(answer.prediction.temperature), answer.decision]
        ),
    )


def _button(
    label: str,
    ending: str,
    mime: str,
    make: Callable[[], str | bytes],
    answer: Answer,
) -> None:
    st.download_button(
        label,
        noted(make, "export", run=answer.run.id, what=f"case report {ending}"),
        file_name=f"report.{ending}",
        mime=mime,
        icon=":material/download:",
        key=f"report-{ending}-{answer.case.key}",
        on_click="ignore",
    )
