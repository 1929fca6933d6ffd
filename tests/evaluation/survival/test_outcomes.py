"""Outcome tables: columns by their names, values that are none, who is meant."""

from __future__ import annotations

import pytest

from medmodel.core.errors import DataError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.evaluation.survival.outcomes import (
    Outcome,
    OutcomeColumns,
    OutcomeTable,
    guess_columns,
    match_outcomes,
    outcomes_by_unit,
    read_outcomes,
)

COLUMNS = OutcomeColumns("patient", "time", "event")


def outcomes(*rows: tuple[str, str, str]) -> tuple[dict[str, Outcome], list[str]]:
    table = OutcomeTable(["patient", "time", "event"], [list(row) for row in rows])
    return outcomes_by_unit(table, COLUMNS)


@pytest.mark.parametrize(
    "content",
    [
        b"patient,time,event\na,12.5,1\nb,3,0\n",
        b"\xef\xbb\xbfpatient;time;event\r\na;12,5;1\r\nb;3;0\r\n",
        "patient\ttime\tevent\na\t12.5\t1\nb\t3\t0\n".encode("utf-16"),
    ],
)
def test_tables_as_spreadsheets_write_them(content: bytes) -> None:
    table = read_outcomes(content, "t.csv")
    assert guess_columns(table.header) == COLUMNS
    read, missing = outcomes_by_unit(table, COLUMNS)
    assert read == {"a": Outcome(12.5, True), "b": Outcome(3, False)} and not missing


@pytest.mark.parametrize("content", [b"", b"x", b"a,b\n", b"a\nb\n", bytes(range(256))])
def test_what_is_no_table(content: bytes) -> None:
    with pytest.raises(DataError, match=r"t.csv is no table of outcomes"):
        read_outcomes(content, "t.csv")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (("Patient ID", "OS", "Vital_Status"), ("Patient ID", "OS", "Vital_Status")),
        (("file", "Days", "dead"), ("file", "Days", "dead")),
        (("age", "sex", "stage"), ("", "", "")),
        (("id", "patient", "months", "status"), ("patient", "months", "status")),
    ],
)
def test_columns_by_their_names(
    header: tuple[str, ...], columns: tuple[str, str, str]
) -> None:
    assert guess_columns(header) == OutcomeColumns(*columns)


def test_missing_values_leave_a_patient_out() -> None:
    read, missing = outcomes(
        ("a", "1", "yes"), ("b", "", "1"), ("c", "2", "NA"), ("", "1", "1")
    )
    assert list(read) == ["a"] and missing == ["b", "c", ""]


@pytest.mark.parametrize("time", ["0", "-1", "soon", "inf", "nan()", "1,5"])
def test_a_time_is_a_number_above_0(time: str) -> None:
    with pytest.raises(DataError, match=r"time of row 1 below .*a number above 0"):
        outcomes(("a", time, "1"))


@pytest.mark.parametrize(
    "time",
    [
        *("2021-03-04", "2021/3/4", "04.03.2021", "3/4/21", "2021-03-04 10:30:00"),
        *("2021-03-04T00:00:00Z", " 4-3-2021 "),
    ],
)
def test_a_date_is_no_time(time: str) -> None:
    with pytest.raises(DataError, match="which is a date: a time is how long after"):
        outcomes(("a", time, "1"))


@pytest.mark.parametrize("time", ["12.5", "1.5e3", " 7 ", "0.001", "20210304"])
def test_a_number_is_no_date(time: str) -> None:
    assert outcomes(("a", time, "1"))[0]["a"].time == float(time)


@pytest.mark.parametrize(
    ("text", "happened"),
    [
        *((t, True) for t in ("1", "1.0", "1.00", "TRUE", "Yes", "Dead", " y ", "是")),
        *((t, True) for t in ("deceased", "Death", "死亡", "T", "01")),
        *((t, False) for t in ("0", "0.0", "-0", "False", "no", "ALIVE", "否", "F")),
        *((t, False) for t in ("censored", "Living", "存活", "0.00")),
    ],
)
def test_words_of_events(text: str, happened: bool) -> None:
    assert outcomes(("a", "1", text))[0]["a"].event is happened


@pytest.mark.parametrize("event", ["2", "maybe", "0.5", "nan()", "inf", "-1"])
def test_an_event_happened_or_not(event: str) -> None:
    with pytest.raises(DataError, match="event of row 1 below the header is .*write 1"):
        outcomes(("a", "1", event))


def test_two_outcomes_of_one_patient_are_refused() -> None:
    assert len(outcomes(("a", "1", "1"), ("a", "1.0", "true"))[0]) == 1
    with pytest.raises(DataError, match="Row 2 below the header .* another outcome"):
        outcomes(("a", "1", "1"), ("a", "2", "1"))


def test_who_is_meant() -> None:
    known = dict.fromkeys(["p1", "x/a.png", "b", "c.png", "d/c.png"], Outcome(1, True))
    paths = ["in/0.png", "in/1.png", "x/a.png", "y/b.png", "e/c.png", "y/none.png"]
    patients = ["p1", patient_pseudonym("p1"), "", "", "", "p9"]
    assert match_outcomes(known, paths, patients) == [
        *("p1", "p1", "x/a.png", "b", ""),
        "",
    ]


def test_a_name_that_two_images_have_says_nothing_of_either() -> None:
    known = dict.fromkeys(["1.png", "2", "b/3.png"], Outcome(1, True))
    paths = ["a/1.png", "b/1.png", "a/2.png", "b/2.jpg", "a/3.png", "b/3.png"]
    matched = match_outcomes(known, paths, [""] * 6)
    # A whole path says which one is meant.
    assert matched == ["", "", "", "", "", "b/3.png"]
    assert match_outcomes(known, paths[:1] + paths[2:3], ["", ""]) == ["1.png", "2"]
    # A unit that ends with a stroke, and a file without an ending.
    assert match_outcomes({"p/": Outcome(1.0, True)}, ["a/IM1"], [""]) == [""]


def test_a_comma_is_a_decimal_point_where_it_separates_nothing() -> None:
    for separator in (";", "\t", "|"):
        lines = ["patient,time,event", "a,12:5,1"]
        text = "\n".join(lines).replace(",", separator).replace(":", ",")
        read, _missing = outcomes_by_unit(
            read_outcomes(text.encode(), "t.csv"), COLUMNS
        )
        assert read == {"a": Outcome(12.5, True)}, separator
