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
    assert list(read) == ["a"] and missing == ["b", "c"]


@pytest.mark.parametrize("time", ["0", "-1", "soon", "inf", "nan()", "1,5"])
def test_a_time_is_a_number_above_0(time: str) -> None:
    with pytest.raises(DataError, match="time of row 1 is .*a number above 0"):
        outcomes(("a", time, "1"))


@pytest.mark.parametrize("event", ["2", "maybe", "0.5"])
def test_an_event_happened_or_not(event: str) -> None:
    with pytest.raises(DataError, match="event of row 1 is .*write 1"):
        outcomes(("a", "1", event))


def test_two_outcomes_of_one_patient_are_refused() -> None:
    assert len(outcomes(("a", "1", "1"), ("a", "1.0", "true"))[0]) == 1
    with pytest.raises(DataError, match="Row 2 gives .* another outcome"):
        outcomes(("a", "1", "1"), ("a", "2", "1"))


def test_who_is_meant() -> None:
    known = dict.fromkeys(["p1", "x/a.png", "b", "c.png", "d/c.png"], Outcome(1, True))
    paths = ["in/0.png", "in/1.png", "x/a.png", "y/b.png", "e/c.png", "y/none.png"]
    patients = ["p1", patient_pseudonym("p1"), "", "", "", "p9"]
    assert match_outcomes(known, paths, patients) == [
        *("p1", "p1", "x/a.png", "b", ""),
        "",
    ]
