"""The evaluation on one sheet of paper: a PDF that is the same every time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from medmodel.evaluation.decision.frozen_thresholds import freeze_thresholds
from medmodel.evaluation.decision.thresholds import Rule, choose_thresholds
from medmodel.reports import evaluation_pdf
from medmodel.reports.pdf_canvas import (
    LINE_HEIGHT,
    PdfCanvas,
    shortened,
    text_width,
    wrapped,
)
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    names = ("Größe", "肺炎", "Здоров", "नमस्ते (x) <b>")
    folder = draw_class_folders(tmp_path / "data" / "easy", names, 15)
    return write_finished_run(folder, "A run) with \\ everything", patients=9)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_one_page_whatever_the_classes_are_called(run: Run) -> None:
    table = read_predictions(run)
    freeze_thresholds(run, Rule(), choose_thresholds(table, Rule()))
    pdf = evaluation_pdf.evaluation_sheet(run)
    assert pdf.startswith(b"%PDF-") and pages(pdf) == 1
    assert b"DejaVuSans" in pdf and b"STSong-Light" in pdf
    assert b"http" not in pdf and b"/JavaScript" not in pdf


def test_the_same_run_makes_the_same_bytes(run: Run) -> None:
    assert evaluation_pdf.evaluation_sheet(run) == evaluation_pdf.evaluation_sheet(run)


@pytest.mark.parametrize("count", [2, 26])
def test_everything_fits_on_the_page(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"a class with quite a long name {k:02}" for k in range(count))
    folder = draw_class_folders(tmp_path / "data" / "many", names, 6, size=8)
    run = write_finished_run(folder, "many " * 40)
    freeze_thresholds(run, Rule(), choose_thresholds(read_predictions(run), Rule()))
    lowest = []
    done = PdfCanvas.done

    def noted(page: PdfCanvas) -> bytes:
        lowest.append(page.y)
        return done(page)

    monkeypatch.setattr(PdfCanvas, "done", noted)
    assert pages(evaluation_pdf.evaluation_sheet(run)) == 1
    assert lowest[0] > 24, f"the page ends {24 - lowest[0]:.0f} points too late"


def test_the_sheet_says_what_is_too_few(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column has no room for a class's name: it stands among the limits."""
    table = read_predictions(run)
    freeze_thresholds(run, Rule(), choose_thresholds(table, Rule()))
    cells: list[str] = []
    write = PdfCanvas.text

    def noted(page: PdfCanvas, *place: Any) -> None:
        cells.append(place[2])
        write(page, *place)

    monkeypatch.setattr(PdfCanvas, "text", noted)
    evaluation_pdf.evaluation_sheet(run)
    assert any(re.fullmatch(r"[01]\.\d{3}, too few \(\d\)", cell) for cell in cells)
    assert not any("too few (" in cell and "…" in cell for cell in cells)
    limits = " ".join(cells[cells.index("Limits") :])
    assert re.search(r"Too few for an interval: .*\d patients of class Größe", limits)


def test_limits_take_the_room_that_is_left() -> None:
    page = PdfCanvas("x")
    sentences = ["Some words of a limit."] * 60
    text = " ".join(sentences)
    assert evaluation_pdf.as_fits(page, sentences, 7.5) == text
    page.y = evaluation_pdf._LOWEST + 3 * 7.5 * LINE_HEIGHT + 1
    shown = evaluation_pdf.as_fits(page, sentences, 7.5)
    # No sentence is cut, and there is no room for one more.
    whole = shown.removesuffix(" The other limits are in the HTML evaluation.")
    assert whole != shown and set(whole.split(". ")) <= {
        "Some words of a limit",
        "Some words of a limit.",
    }
    assert whole.count("limit") > 12
    page.paragraph(shown, 7.5)
    assert page.y > evaluation_pdf._LOWEST - 7.5


def test_text_is_wrapped_and_shortened_by_its_width() -> None:
    text = "Measured on many images 肺炎肺炎肺炎肺炎肺炎肺炎肺炎肺炎"
    lines = list(wrapped(text, 90, 9))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line, 9) <= 90 for line in lines)
    short = shortened(text, 50, 9)
    assert short.endswith("…") and text_width(short, 9) <= 50
    assert shortened("x", 50, 9) == "x"
    assert text_width("न", 9) == text_width("□", 9) > 0


@pytest.mark.parametrize("width", range(50, 120, 7))
def test_chinese_ends_a_line_after_any_character_but_begins_none_with_a_stop(
    width: int,
) -> None:
    text = (
        "区间均为 95% 置信区间（自助法），基线：准确率 0.606。"
        "“灵敏度”与特异度、阈值；见表。"
    )
    lines = list(wrapped(text, width, 9))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line, 9) <= width for line in lines)
    assert not [
        line for line in lines if line[0] in "，。：；、）”" or line[-1] in "（“"
    ]


def test_a_word_between_chinese_ones_stays_whole_and_keeps_its_blank() -> None:
    lines = list(wrapped("准确率 Compact CNN 训练", 60, 9))
    assert [word for line in lines for word in line.split() if word.isascii()] == [
        "Compact",
        "CNN",
    ]
    assert list(wrapped("准确率 Compact", 200, 9)) == ["准确率 Compact"]


def test_a_box_is_explained_and_only_a_box() -> None:
    page = PdfCanvas("x")
    page.paragraph("لا إصابة, גדול, 肺炎, q\u0303, \u2764\ufe0f, a\u200db")
    page.text(0, 0, "a\tb\nc\xad, \u061c\u05d2", 9)
    assert not page.boxes
    page.paragraph("नमस्ते")
    assert page.boxes


def test_what_joins_letters_has_no_width() -> None:
    assert text_width("\u2764\ufe0f", 10) == text_width("\u2764", 10)
    assert text_width("קט\u200d", 10) == text_width("טק", 10)
