"""Report of one image that a model answered about, as HTML and as PDF.

Neither needs another file. Nobody is named unless an identity is given.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from medmodel import __version__
from medmodel.core.errors import MedModelError
from medmodel.core.storage import file_digest
from medmodel.core.templating import render_template
from medmodel.imaging.images import Pixels, png_bytes
from medmodel.language import _, translate
from medmodel.reports import run_facts
from medmodel.reports.pdf_canvas import (
    LINE_HEIGHT,
    MARGIN,
    PALE,
    WIDTH,
    PdfCanvas,
    box_sentence,
    text_width,
    wrapped,
)
from medmodel.runs.run import Run

_INSIDE = WIDTH - 2 * MARGIN
_RED = "#b3261e"
_SIDE = 250.0
"""Points of an image on paper."""

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class CaseReport:
    """What stands in a report, in the language of whoever asks for it.

    Args:
        image: As it is shown, uint8 (height, width, channels).
        image_text: Its size and format.
        predicted: The predicted class, or why there is none, as a sentence.
        saliency: The saliency map laid over the model's input; None without one.
        saliency_text: What it shows, and what it does not.
        probabilities: Class and per cent, the most probable first.
        probability_note: What these are.
        measurements: Name of a measurement and its numbers.
        measurement_notes: What they rest on.
        text: What the reader wrote.
        model: What is known of the model.
        limits: What it says nothing about.
        identity: Whose image it is; empty unless somebody asked for it.
    """

    image: Pixels
    image_text: str
    predicted: str
    saliency: Pixels | None = None
    saliency_text: str = ""
    probabilities: Rows = ()
    probability_note: str = ""
    measurements: Sequence[tuple[str, Sequence[str]]] = ()
    measurement_notes: Sequence[str] = ()
    text: str = ""
    model: Rows = ()
    limits: Sequence[str] = ()
    identity: Rows = field(default=())


def model_rows(run: Run) -> Rows:
    """What is known of a run's model, its file's SHA-256 among it.

    Raises:
        OSError: The model cannot be read.
    """
    rows = [
        (_("Model"), run.title),
        (_("Run"), run.id),
        (_("SHA-256 of the model's file"), file_digest(run.model_path)),
    ]
    try:
        evaluation = run_facts.evaluate_run(run)
        rows.append((_("Trained on"), run_facts.trained_on(run)))
        accuracy = f"{evaluation.accuracy}, {run_facts.tested_on(run, evaluation)}"
        rows.append((_("Accuracy"), accuracy))
    except MedModelError as error:
        rows.append((_("Accuracy"), translate(str(error))))
    return rows


def model_limits(run: Run) -> list[str]:
    """What the model says nothing about; that it was not tested, if so."""
    try:
        return run_facts.limits(run, run_facts.evaluate_run(run))
    except MedModelError as error:
        return [translate(str(error))]


def case_html(report: CaseReport) -> str:
    """The report as one HTML document without a script."""
    return render_template(
        "case_report.html",
        title=_("Report of one image"),
        report=report,
        image=_data_uri(report.image),
        saliency=None if report.saliency is None else _data_uri(report.saliency),
    )


def case_pdf(report: CaseReport) -> bytes:
    """The report on A4, as many pages as it takes; the same report, the same bytes."""
    title = _("Report of one image")
    page = PdfCanvas(title)
    page.frame(MARGIN, page.y - 17, _INSIDE, 17, _RED)
    warning = _("Not for clinical use. Research and teaching only.")
    page.text(MARGIN + 6, page.y - 12, warning, 9, _RED)
    page.y -= 40
    page.text(MARGIN, page.y, title, 15)
    page.y -= 3
    _lines(page, report.predicted, 11)
    _images(page, report)
    _table(page, _("Identification"), report.identity)
    if report.text:
        _heading(page, _("Reader's text"))
        for line in report.text.splitlines():
            _lines(page, line)
    _table(page, _("Probabilities"), report.probabilities)
    if report.probabilities:
        _lines(page, report.probability_note, 7.5, PALE)
    numbers = [(name, "; ".join(each)) for name, each in report.measurements]
    _table(page, _("Measurements"), numbers)
    for note in report.measurement_notes if numbers else ():
        _lines(page, note, 7.5, PALE)
    _table(page, _("Model"), report.model)
    _heading(page, _("Limits"))
    for limit in report.limits:
        _lines(page, f"• {limit}")
    _lines(page, _("MedModel {version}", version=__version__), 7.5, PALE)
    if page.boxes:
        _lines(page, box_sentence(), 7.5, PALE)
    return page.done()


def _images(page: PdfCanvas, report: CaseReport) -> None:
    page.y -= 6
    top, lowest = page.y, page.y
    shown = [(report.image, report.image_text)]
    if report.saliency is not None:
        shown.append((report.saliency, report.saliency_text))
    for at, (pixels, text) in enumerate(shown):
        left = MARGIN + at * (_SIDE + 14)
        below = top - page.image(png_bytes(pixels), left, top, _SIDE)
        for line in wrapped(text, _SIDE, 7.5):
            below -= 7.5 * LINE_HEIGHT
            page.text(left, below, line, 7.5, PALE)
        lowest = min(lowest, below)
    page.y = lowest - 4


def _heading(page: PdfCanvas, text: str) -> None:
    page.need(40)
    page.heading(text)


def _table(page: PdfCanvas, title: str, rows: Rows) -> None:
    """Names in front of their values, nothing shortened; nothing without rows."""
    if not rows:
        return
    _heading(page, title)
    widest = max(text_width(name, 8.5) for name, _value in rows)
    indent = min(widest + 12, _INSIDE / 3)
    for name, value in rows:
        names = list(wrapped(name, indent - 6, 8.5)) or [""]
        values = list(wrapped(value, _INSIDE - indent, 8.5)) or [""]
        for at in range(max(len(names), len(values))):
            page.need(8.5 * LINE_HEIGHT)
            page.y -= 8.5 * LINE_HEIGHT
            for left, lines in ((MARGIN, names), (MARGIN + indent, values)):
                if at < len(lines):
                    page.text(left, page.y, lines[at])


def _lines(page: PdfCanvas, text: str, size: float = 8.5, colour: str = "") -> None:
    """A paragraph that may go on on the next page."""
    for line in wrapped(text, _INSIDE, size):
        page.need(size * LINE_HEIGHT)
        page.y -= size * LINE_HEIGHT
        page.text(MARGIN, page.y, line, size, *filter(None, [colour]))
    page.y -= size * 0.4


def _data_uri(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()
