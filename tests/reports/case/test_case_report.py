"""A case's report as HTML and PDF: everything is in it, and nobody's name."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from medmodel.reports.case.case_report import (
    CaseReport,
    case_html,
    case_pdf,
    model_limits,
    model_rows,
)
from tests.finished_run import write_finished_run

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8, 1)
REPORT = CaseReport(
    image=PIXELS,
    image_text="8 × 6 pixels, PNG",
    predicted="Predicted class: pneumonia (87 %)",
    saliency=np.zeros((8, 8, 3), np.uint8),
    saliency_text="Where the network was sensitive",
    probabilities=[("pneumonia", "87 %"), ("<b>normal</b>", "13 %")],
    probability_note="Not calibrated.",
    measurements=[("Line 1", ["12.3 mm"]), ("结节", ["Area 9 mm²", "Mean −12"])],
    measurement_notes=["Pixel size from the file."],
    text="Opacity & more.\n<script>alert(1)</script>",
    model=[("Model", "Instant"), ("SHA-256 of the model's file", "ab" * 32)],
    limits=["Says nothing about images unlike its training images."],
)


class Words(HTMLParser):
    """Text and elements of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.text, self.names, self.sources = "", set[str](), list[str]()
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_everything_is_in_the_html_and_nothing_runs() -> None:
    page = Words(case_html(REPORT))
    for text in (
        REPORT.predicted,
        *("8 × 6 pixels, PNG", "<b>normal</b>", "13 %", "12.3 mm", "Mean −12"),
        *("Opacity & more.", "<script>alert(1)</script>", "ab" * 32),
        *(*REPORT.limits, "Not for clinical use.", REPORT.saliency_text),
    ):
        assert text in page.text
    assert "script" not in page.names and "b" in page.names
    assert len(page.sources) == 2
    assert all(s.startswith("data:image/png;base64,") for s in page.sources)


def test_what_is_not_there_has_no_heading() -> None:
    bare = CaseReport(PIXELS, "", "No prediction is shown.")
    page = Words(case_html(bare))
    for heading in ("Identification", "Reader's text", "Probabilities", "Measurements"):
        assert heading not in page.text and heading in Words(case_html(FULL)).text
    assert len(page.sources) == 1 and case_pdf(bare).startswith(b"%PDF")


FULL = replace(REPORT, identity=[("File", "x.dcm"), ("Patient", "Wang")])


def test_an_identity_is_there_only_where_it_was_given() -> None:
    assert "Wang" in case_html(FULL)
    assert "Wang" not in case_html(REPORT) and "Identification" not in case_html(REPORT)


def test_the_pdf_takes_as_many_pages_as_it_needs_and_is_always_the_same() -> None:
    one = case_pdf(FULL)
    assert one == case_pdf(FULL) and one.count(b"/Type /Page\n") == 1
    long = replace(FULL, text="word " * 3000 + "\n" + "长" * 2000)
    assert case_pdf(long).count(b"/Type /Page\n") > 2
    many = replace(FULL, probabilities=[(f"class {i}" * 9, "1 %") for i in range(200)])
    assert case_pdf(many).count(b"/Type /Page\n") > 2


def test_the_model_is_named_with_its_hash(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "A run")
    rows = dict(model_rows(run))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert rows["SHA-256 of the model's file"] == empty
    assert rows["Model"] == "A run" and "16 images" in rows["Accuracy"]
    assert "Says nothing about images unlike its training images." in model_limits(run)
    run.predictions_path.unlink()
    assert "Trained on" not in dict(model_rows(run)) and len(model_limits(run)) == 1
