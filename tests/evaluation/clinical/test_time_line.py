"""Time lines: dates in names, changes within the error of measuring."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical import time_line
from medmodel.evaluation.clinical.time_line import (
    USUAL_PATTERN,
    Reading,
    by_patient,
    compile_pattern,
    date_in_name,
    dates_in_names,
    is_within_error,
    reading_of,
    size_visits,
)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("ct_2024-01-15.png", date(2024, 1, 15)),
        ("20240115_ct.dcm", date(2024, 1, 15)),
        ("a.2024.01.15.png", date(2024, 1, 15)),
        ("2024_02_30 2024_02_29.png", date(2024, 2, 29)),
        ("12345678.png", None),
        ("18941231.png", None),
        ("18950101.png", date(1895, 1, 1)),
        ("scan7.png", None),
    ],
)
def test_dates_in_names(name: str, day: date | None) -> None:
    assert date_in_name(name, compile_pattern(USUAL_PATTERN)) == day


def test_a_pattern_of_ones_own() -> None:
    one = compile_pattern(r"visit (\S+) end")
    assert date_in_name("visit 2024/3/9 end", one) is None  # 2024, 39: no month
    assert date_in_name("visit 2024/03/09 end", one) == date(2024, 3, 9)
    optional = compile_pattern(r"(\d{4})x(\d\d)?x(\d\d)?")
    assert date_in_name("2024xx", optional) is None


@pytest.mark.parametrize("pattern", ["(", "no group", r"(\d)(\d)", "(" * 200])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(DataError, match=r"regular expression|groups"):
        compile_pattern(pattern)


def test_dates_of_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["visit 2024/03/09 end", "visit soon end"]
    assert dates_in_names(names, r"visit (\S+) end") == [date(2024, 3, 9), None]
    assert dates_in_names([], r"visit (\S+) end") == []
    with pytest.raises(DataError, match="groups"):
        dates_in_names(names, "none")
    monkeypatch.setattr(time_line, "SECONDS", 1)
    with pytest.raises(DataError, match="2 file names within 1 seconds"):
        dates_in_names(["1" * 60 + ".png", "a"], r"((?:\d+)+)x")
    # No process is asked for the usual one.
    monkeypatch.setattr(time_line.sandbox, "ask", None)
    assert dates_in_names(["20240309"], USUAL_PATTERN) == [date(2024, 3, 9)]


def test_sizes_over_time() -> None:
    days = [date(2024, 1, 1), date(2024, 4, 10), date(2024, 7, 19)]
    first, second, third = size_visits(days, [20.0, 21.0, None])
    assert first.change is None and second.change == pytest.approx(0.05)
    assert second.within_error and third.total is None and not third.within_error
    # Volume 8 times as large in 300 days: it doubles in 100.
    grown = size_visits([days[0], date(2024, 10, 27)], [10.0, 20.0])[1]
    assert grown.doubling_days == pytest.approx(100) and not grown.within_error
    assert not size_visits(days, [20.0, 21.0, None], 0.04)[1].within_error


def test_a_reading_holds_its_own_value() -> None:
    assert reading_of(0.9, np.full(16, 0.5)) == Reading(0.9, 0.5, 0.9)
    spread = reading_of(0.5, np.linspace(0, 1, 101))
    # Of 102 values, its own among them, the 2.525th from either end.
    assert spread.low == pytest.approx(0.02525)
    assert spread.high == pytest.approx(0.97475)


def test_changes_within_the_error_of_measuring() -> None:
    first = Reading(0.2, 0.1, 0.5)
    # Towards each other: 0.3 upwards of the first, 0.4 downwards of the last.
    assert is_within_error(first, Reading(0.7, 0.3, 0.71))
    assert is_within_error(Reading(0.7, 0.3, 0.71), first)
    assert not is_within_error(first, Reading(0.71, 0.31, 0.72))
    assert not is_within_error(Reading(0.2, 0.0, 0.2), Reading(0.4, 0.4, 1.0))
    assert is_within_error(first, first)


def key(patient_id: str = "", patient_name: str = "", born: str = "") -> dict[str, str]:
    return {"patient_id": patient_id, "patient_name": patient_name, "born": born}


@pytest.mark.parametrize(
    ("keys", "groups"),
    [
        ([key("a"), key("a")], [[0, 1]]),
        ([key("a"), key("b"), key("a")], [[0, 2], [1]]),
        # Who has no number may be anybody.
        ([key("a"), key(), key("b")], [[0], [2]]),
        ([key(), key()], [[0, 1]]),
        # The same number at two hospitals.
        ([key("a", born="1"), key("a", born="2")], [[0], [1]]),
        # Names are spelt in many ways; without any number they are all there is.
        ([key("a", "doe^j"), key("a", "doe^jane")], [[0, 1]]),
        ([key("a", "doe^j"), key("", "doe^jane")], [[0, 1]]),
        ([key("", "x"), key("", "y")], [[0], [1]]),
    ],
)
def test_images_by_patient(keys: list[dict[str, str]], groups: list[list[int]]) -> None:
    assert by_patient(keys) == groups
