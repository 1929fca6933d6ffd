"""Follow-up's time line: sentences and table; dates from names and headers."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from medmodel.evaluation.clinical.time_line import Reading, size_visits
from medmodel.reports.follow_up_figure import probability_figure, size_figure
from pages._shared.reading import dated_answers
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said

DAYS = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1)]
READINGS = [Reading(0.2, 0.15, 0.25), Reading(0.6, 0.5, 0.7), Reading(0.25, 0.2, 0.3)]
SIZES = [20.0, None, 26.0]


def dated(day: date, size: float | None) -> Any:
    case = SimpleNamespace(name=f"{day}.png")
    return SimpleNamespace(day=day, size=size, answer=SimpleNamespace(case=case))


IMAGES = [dated(day, size) for day, size in zip(DAYS, SIZES, strict=True)]
VISITS = size_visits(DAYS, SIZES)


def test_the_last_change_in_words() -> None:
    said_of = dated_answers.time_line_sentences("ill", IMAGES, READINGS, VISITS)
    assert said_of == [
        "ill: 20 % to 25 % in 121 days, a change within the error of measuring.",
        "Size: 20.0 to 26.0 mm (+30 %) in 121 days.",
    ]
    (rise, _size) = dated_answers.time_line_sentences(
        "ill", IMAGES[:2], READINGS[:2], VISITS
    )
    assert rise == "ill: 20 % to 60 % in 60 days."
    near = size_visits(DAYS[:2], [20.0, 20.5])
    (text,) = dated_answers.time_line_sentences("ill", IMAGES[:1], READINGS[:1], near)
    assert text.endswith("(+2 %) in 60 days, a change within the error of measuring.")
    gone = size_visits(DAYS[:2], [0.0, 3.0])
    (text,) = dated_answers.time_line_sentences("ill", [], [], gone)
    assert text == "Size: 3.0 mm at the last date."


def test_table_has_a_line_for_each_image() -> None:
    familiar = [IMAGES[0], IMAGES[2]]
    table = dated_answers.time_line_table(
        "ill", IMAGES, familiar, [READINGS[0], READINGS[2]], VISITS
    )
    assert list(table.columns)[:2] == ["Date", "Image"] and len(table) == 3
    assert list(table["Probability of ill"]) == [
        *("20 % (15 % to 25 %)", "unlike the training data", "25 % (20 % to 30 %)")
    ]
    assert list(table["Since the first"]) == [
        *("–", "–", "+5 points, within the error")
    ]
    assert list(table["Size since baseline"]) == ["–", "–", "+30 %"]
    assert dated_answers._points(READINGS[0], READINGS[1]) == "+40 points"


def test_figures() -> None:
    (curve,) = probability_figure(DAYS, {"ill": READINGS}, {"ill": "#000000"}).data
    assert list(curve.y) == [0.2, 0.6, 0.25]
    assert list(curve.error_y.array) == pytest.approx([0.05, 0.1, 0.05])
    (sizes,) = size_figure(VISITS, 0.1).data
    assert list(sizes.y) == [20.0, 26.0] and list(sizes.error_y.array) == [2.0, 2.6]


def test_the_page_leads_there(class_folders: Any) -> None:
    write_finished_run(class_folders, "good")
    app = open_page("results/follow_up.py")
    app.get("button_group")[0].set_value("Images over time").run()
    assert not app.exception and "Before you start" in said(app)
    press(app, "I understand")
    assert "written nowhere" in said(app)
