"""Follow-up: a table is filled in, its last category stands large."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.recist import Lesion, Visit, assess
from medmodel.reports.follow_up_figure import follow_up_figure
from pages._shared.reading.follow_up_view import (
    doubling_words,
    last_sentence,
    read_table,
    visits_table,
)
from tests.pages.page import open_page, said

PAGE = "results/follow_up.py"


def opened() -> AppTest:
    app = open_page(PAGE)
    assert not app.exception and not app.error
    return app


def test_empty_it_says_what_to_do() -> None:
    app = opened()
    assert "two dates at least" in app.info[0].value
    assert "written nowhere" in said(app)


def test_the_example_shows_progression_from_the_smallest_sum() -> None:
    app = opened()
    app.toggle[0].set_value(True).run()
    assert not app.exception and not app.info
    text = said(app).replace("\\", "")
    # 55, 40, 33, 45 mm: 36 % and 12 mm above the smallest, 18 % below baseline.
    assert (
        "At the last date: progressive disease (PD); +36 % from the smallest sum "
        "before." in text
    )
    assert "no diagnosis" in text
    table = app.dataframe[-1].value
    assert list(table["Sum in mm"]) == ["55.0", "40.0", "33.0", "45.0"]
    assert list(table["From the smallest sum"]) == ["–", "-27 %", "-18 %", "+36 %"]
    app.number_input[0].set_value(3).run()
    assert not app.exception


def table(*rows: tuple[str | None, float | None, float | None, bool]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["date", "a", "b", "new"])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def test_rows_are_read_in_the_order_of_their_dates() -> None:
    typed = table(
        ("2024-05-01", 12.0, None, True),
        (None, 1.0, 1.0, False),
        ("2024-01-01", 10.0, 20.0, False),
    )
    days, lesions, new = read_table(typed, ["a", "b"], ["b"])
    assert days == [date(2024, 1, 1), date(2024, 5, 1)]
    assert [lesion.diameters for lesion in lesions] == [(10.0, 12.0), (20.0, None)]
    assert [lesion.is_node for lesion in lesions] == [False, True]
    assert new == [False, True]
    blank = typed.assign(new=pd.Series([np.nan, None, False], dtype=object))
    assert read_table(blank, ["a", "b"], [])[2] == [False, False]
    with pytest.raises(DataError, match="occurs twice"):
        read_table(pd.concat([typed, typed]), ["a", "b"], [])


def test_what_cannot_be_known_is_a_dash() -> None:
    days, lesions, new = read_table(
        table(("2024-01-01", 20.0, 20.0, False), ("2024-03-01", 21.0, None, False)),
        ["a", "b"],
        [],
    )
    visits = assess(days, lesions, new)
    assert last_sentence(visits[-1]) == "At the last date: not evaluable (NE)."
    row = visits_table(visits).iloc[1]
    assert list(row)[2:5] == ["–", "–", "–"]
    (curve,) = follow_up_figure(visits).data
    assert list(curve.y) == [40.0]
    within = assess(days, [lesions[0]])
    assert "within the error of measuring" in last_sentence(within[-1])


def visits_of(*sums: float | None, new: bool = False) -> list[Visit]:
    days = [date(2024, month + 1, 1) for month in range(len(sums))]
    seen = [False] * (len(sums) - 1) + [new]
    return assess(days, [Lesion("a", sums)], seen)


@pytest.mark.parametrize(
    ("sums", "new", "words"),
    [
        # Smaller than at baseline, and progression all the same.
        ((50.0, 20.0, 30.0), False, "(PD); +50 % from the smallest sum before."),
        ((50.0, 20.0, 19.0), True, "(PD), as a new lesion was seen."),
        ((50.0, None), True, "(PD), as a new lesion was seen."),
        ((50.0, 0.0, 3.0), False, "(PD)."),
        ((50.0, 30.0), False, "(PR); -40 % from baseline."),
        ((0.0, 12.0), False, "not evaluable (NE)."),
    ],
)
def test_the_last_sentence_names_what_it_counts_from(
    sums: tuple[float | None, ...], new: bool, words: str
) -> None:
    assert last_sentence(visits_of(*sums, new=new)[-1]).endswith(words)


def test_a_volume_that_halves_is_not_said_to_double() -> None:
    shrinking, growing = visits_of(20.0, 10.0)[-1], visits_of(10.0, 20.0)[-1]
    # A third of a month's 31 days: volume goes as the third power.
    assert doubling_words(shrinking.doubling_days) == "halves in 10"
    assert doubling_words(growing.doubling_days) == "10"
    assert doubling_words(visits_of(10.0, 10.0)[-1].doubling_days) == "–"


def test_a_date_fits_a_column_that_began_empty() -> None:
    table = opened().dataframe[0]
    assert json.loads(table.proto.columns)["date"]["width"] >= 104
