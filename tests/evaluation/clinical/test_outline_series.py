"""Outlines over time: changes from the first date, and RECIST 1.1 of the largest."""

from __future__ import annotations

from datetime import date

import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.outline_series import outline_visits, target_visits
from medmodel.evaluation.clinical.recist import Response

DAYS = [date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1)]


def test_changes_count_from_the_first_date() -> None:
    first, second, third = outline_visits(DAYS, [100, 0, 150], [[10.0], [], [20.0, 3]])
    assert (first.area_change, first.longest_change) == (None, None)
    # Nothing is outlined: an area of 0, and no diameter that could be compared.
    assert second.area_change == -1 and second.longest is None
    assert second.longest_change is None and not second.within_error
    assert third.area_change == 0.5 and third.longest_change == 1
    # Twice the diameter is eight times the volume: three doublings in 60 days.
    assert third.doubling_days == pytest.approx(20)


def test_a_change_may_be_within_the_error() -> None:
    visits = outline_visits(DAYS, [9, 9, 9], [[1000.0], [1070.0], [1071.0]], 0.07)
    assert [visit.within_error for visit in visits] == [False, True, False]


def test_from_nothing_no_change_counts() -> None:
    visits = outline_visits(DAYS[:2], [0, 50], [[], [8.0]])
    assert visits[1].area_change is None and visits[1].longest_change is None
    with pytest.raises(DataError, match="each date once"):
        outline_visits([DAYS[0]] * 2, [1, 1], [[1.0], [1.0]])


def test_the_largest_outlines_as_target_lesions() -> None:
    visits = target_visits(DAYS, [[30.0, 20.0, 9.0], [20.0, 14.0], [28.0, 18.0]], 2)
    assert [visit.total for visit in visits] == [50, 34, 46]
    assert visits[1].category is Response.PARTIAL
    assert visits[2].category is Response.PROGRESSIVE


def test_what_is_not_outlined_has_not_disappeared() -> None:
    visits = target_visits(DAYS, [[30.0, 20.0], [28.0], []], 2)
    assert [v.category for v in visits[1:]] == [Response.NOT_EVALUABLE] * 2
    assert target_visits(DAYS, [[30.0], [], [9.0]], 1)[2].category is Response.PARTIAL
