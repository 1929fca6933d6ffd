"""RECIST 1.1 by hand: every bound, nodes, new lesions, what is missing."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.recist import Lesion, Response, Visit, assess

START = date(2024, 1, 1)


def days(count: int, step: int = 60) -> list[date]:
    return [START + timedelta(step * at) for at in range(count)]


def of_one(*diameters: float | None, new: tuple[bool, ...] = ()) -> list[Visit]:
    return assess(days(len(diameters)), [Lesion("a", diameters)], new)


def categories(*diameters: float | None, new: tuple[bool, ...] = ()) -> list[Response]:
    return [visit.category for visit in of_one(*diameters, new=new)]


@pytest.mark.parametrize(
    ("baseline", "later", "category"),
    [
        (50, 35.0, Response.PARTIAL),
        (50, 35.1, Response.STABLE),
        (50, 60.0, Response.PROGRESSIVE),
        (50, 59.9, Response.STABLE),
        # 20 % more, but less than 5 mm; and 5 mm more, but less than 20 %.
        (20, 24.9, Response.STABLE),
        (20, 25.0, Response.PROGRESSIVE),
        (40, 46.0, Response.STABLE),
        (50, 0.0, Response.COMPLETE),
        (50, 0.1, Response.PARTIAL),
        (50, None, Response.NOT_EVALUABLE),
    ],
)
def test_bounds(baseline: float, later: float | None, category: Response) -> None:
    assert categories(baseline, later) == [Response.BASELINE, category]


def test_progression_is_from_the_smallest_sum_and_goes_before_response() -> None:
    # 60, down to 20, up to 26: 57 % below baseline, but 30 % and 6 mm above the lowest.
    assert categories(60, 20, 26)[1:] == [Response.PARTIAL, Response.PROGRESSIVE]
    # Not measured in between: the lowest that is known counts.
    assert categories(60, None, 20, 26)[-1] is Response.PROGRESSIVE
    # After a complete response whatever comes back is progression.
    assert categories(30, 0, 1, 0)[2:] == [Response.PROGRESSIVE, Response.COMPLETE]


def test_a_new_lesion_is_progression_whatever_the_sum() -> None:
    new = (False, True, False)
    assert categories(50, 20, 20, new=new)[1:] == [
        Response.PROGRESSIVE,
        Response.PARTIAL,
    ]
    assert categories(50, None, new=(False, True))[1] is Response.PROGRESSIVE


def test_nodes_are_normal_below_ten_millimetres() -> None:
    for short_axis, category in ((9.9, Response.COMPLETE), (10.0, Response.PARTIAL)):
        lesions = [
            Lesion("liver", (30.0, 0.0)),
            Lesion("node", (20.0, short_axis), is_node=True),
        ]
        last = assess(days(2), lesions)[-1]
        assert last.category is category
        assert last.total == short_axis


def test_sums_and_changes() -> None:
    lesions = [Lesion("a", (20.0, 15.0, 30.0)), Lesion("b", (30.0, 25.0, 30.0))]
    first, second, third = assess(days(3), lesions)
    assert (first.total, first.change, first.rise) == (50.0, None, None)
    assert second.total == 40.0 and second.change == pytest.approx(-0.2)
    assert third.change == pytest.approx(0.2)
    assert third.change_from_lowest == pytest.approx(0.5) and third.rise == 20.0


def test_a_change_within_the_error_of_measuring_is_called_so() -> None:
    # 7 % of one lesion of 50 mm are 3.5 mm.
    assert of_one(50, 53.5)[1].within_error and not of_one(50, 53.6)[1].within_error
    assert of_one(50, 46.5)[1].within_error and not of_one(50, 46.4)[1].within_error
    # Of two lesions of 30 and 40 mm, independent: 7 % of 50 mm.
    two = [Lesion("a", (30.0, 33.5)), Lesion("b", (40.0, 40.0))]
    assert assess(days(2), two)[1].within_error
    assert not assess(days(2), two, repeatability=0.06)[1].within_error
    assert not of_one(50)[0].within_error and not of_one(50, None)[1].within_error


def test_doubling_time_of_the_volume() -> None:
    # The third root of 2 more in 60 days: the volume doubled.
    grown = of_one(20, 20 * 2 ** (1 / 3))[1].doubling_days
    assert grown == pytest.approx(60)
    assert of_one(20, 20 / 2 ** (1 / 3))[1].doubling_days == pytest.approx(-60)
    assert of_one(20, 20)[1].doubling_days is None
    assert of_one(20, None, 40)[2].doubling_days == pytest.approx(120 / 3)
    assert of_one(20, 0)[1].doubling_days is None


@pytest.mark.parametrize(
    ("when", "lesions", "words"),
    [
        ([], [Lesion("a", ())], "each date once"),
        (days(2)[::-1], [Lesion("a", (1.0, 2.0))], "each date once"),
        ([START, START], [Lesion("a", (1.0, 2.0))], "each date once"),
        (days(1), [], "1 to 5 target lesions"),
        (days(1), [Lesion(str(k), (9.0,)) for k in range(6)], "1 to 5 target lesions"),
        (days(2), [Lesion("a", (1.0,))], "one diameter for each date"),
        (days(1), [Lesion("a", (-1.0,))], "between 0 and 1000"),
        (days(1), [Lesion("a", (1001.0,))], "between 0 and 1000"),
        (days(1), [Lesion("a", (math.nan,))], "between 0 and 1000"),
    ],
)
def test_what_is_refused(when: list[date], lesions: list[Lesion], words: str) -> None:
    with pytest.raises(DataError, match=words):
        assess(when, lesions)


def test_no_baseline_no_category() -> None:
    assert set(categories(None, 20, 40)) == {Response.NOT_EVALUABLE}
    assert set(categories(0, 20)) == {Response.NOT_EVALUABLE}


@given(st.lists(st.floats(1, 200), min_size=2, max_size=6), st.floats(0.5, 2))
def test_units_do_not_matter_but_for_five_millimetres(
    diameters: list[float], scale: float
) -> None:
    lengths = tuple(10 * d for d in diameters)
    if any(abs(a - b) < 12 for a in lengths for b in lengths if a != b):
        return
    one = assess(days(len(lengths)), [Lesion("a", tuple(d / 10 for d in lengths))])
    shares = [visit.change for visit in one]
    scaled = tuple(scale * d / 10 for d in lengths)
    other = assess(days(len(lengths)), [Lesion("a", scaled)])
    for a, b in zip(shares, (visit.change for visit in other), strict=True):
        assert a == b or a == pytest.approx(b)
