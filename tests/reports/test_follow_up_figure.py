"""The figure of a follow-up can be read."""

from __future__ import annotations

from datetime import date

from medmodel.evaluation.clinical.recist import Lesion, assess
from medmodel.reports.follow_up_figure import follow_up_figure


def test_the_names_of_two_limits_that_lie_close_are_apart() -> None:
    days = [date(2024, month, 15) for month in (1, 4, 7, 10)]
    lesions = [
        Lesion("1", (24.0, 18.0, 14.0, 21.0), False),
        Lesion("2", (31.0, 22.0, 19.0, 24.0), False),
    ]
    drawing = follow_up_figure(assess(days, lesions, [False] * 4, 0.07))
    places = {each.text: (each.y, each.yanchor) for each in drawing.layout.annotations}
    # 70 % of 55 mm, and 120 % of 33 mm, the smallest sum.
    assert places["partial response"] == (38.5, "top")
    assert places["progression"] == (39.6, "bottom")


def limits(*sums: float | None) -> dict[str, float]:
    days = [date(2024, month + 1, 15) for month in range(len(sums))]
    drawing = follow_up_figure(assess(days, [Lesion("1", sums)]))
    return {each.text: each.y for each in drawing.layout.annotations}


def test_limits_count_from_a_baseline_alone() -> None:
    assert limits(10.0, 12.0) == {"partial response": 7.0, "progression": 15.0}
    assert limits(None, 12.0, 13.0) == limits(0.0, 12.0) == {}
    # What comes back after a complete response is progression, however small.
    assert limits(10.0, 0.0, 2.0) == {"partial response": 7.0}
