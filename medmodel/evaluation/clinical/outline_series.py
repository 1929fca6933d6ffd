"""What a segmentation outlines on a patient's images over time: areas, diameters.

Arithmetic of outlines, and no more: whether two outlines are the same lesion, and
whether one that is missing has disappeared or was overlooked, is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.recist import (
    REPEATABILITY,
    Lesion,
    Visit,
    assess,
    change_of,
    doubling_days,
)
from medmodel.language import _


@dataclass(frozen=True)
class OutlineVisit:
    """What is outlined of one class at one date.

    Args:
        day: The date.
        area: Of all its regions, in the square of the unit of `longest`.
        longest: Longest diameter of the largest region; None where there is none.
        area_change: From the first date, as a share; None where nothing was outlined
            then.
        longest_change: Likewise; None also where nothing is outlined now.
        within_error: Whether that change is smaller than what measuring the same
            diameter again would give.
        doubling_days: As in `recist.Visit`, from the longest diameter.
    """

    day: date
    area: float
    longest: float | None
    area_change: float | None
    longest_change: float | None
    within_error: bool
    doubling_days: float | None


def outline_visits(
    days: Sequence[date],
    areas: Sequence[float],
    diameters: Sequence[Sequence[float]],
    repeatability: float = REPEATABILITY,
) -> list[OutlineVisit]:
    """Changes of what is outlined, from the first date on.

    Args:
        days: In ascending order, none twice.
        areas: Of all regions at each date.
        diameters: The longest one of each of the largest regions at each date, the
            largest region first.
        repeatability: Of a diameter, as a share, see `recist.REPEATABILITY`.

    Raises:
        DataError: Dates are not in order.
    """
    if list(days) != sorted(set(days)):
        raise DataError(_("Give each date once, the earliest first."))
    longest = [of_day[0] if of_day else None for of_day in diameters]
    visits = []
    for at, day in enumerate(days):
        change = change_of(longest[at], longest[0]) if at else None
        visits.append(
            OutlineVisit(
                day=day,
                area=areas[at],
                longest=longest[at],
                area_change=change_of(areas[at], areas[0]) if at else None,
                longest_change=change,
                within_error=change is not None and abs(change) <= repeatability,
                doubling_days=doubling_days(days, longest, at),
            )
        )
    return visits


def target_visits(
    days: Sequence[date],
    diameters: Sequence[Sequence[float]],
    count: int,
    repeatability: float = REPEATABILITY,
) -> list[Visit]:
    """RECIST 1.1 of the largest outlines, taken as target lesions.

    A date at which fewer are outlined is not evaluable: a model may have overlooked
    what is still there. The sum does not ask which outline is which lesion.

    Args:
        days: In ascending order, none twice.
        diameters: As for `outline_visits`, in mm.
        count: How many target lesions there are, 1 to `recist.MOST_LESIONS`.
        repeatability: As for `outline_visits`.

    Raises:
        DataError: As `recist.assess`.
    """
    lesions = [
        Lesion(
            _("Outline {number}", number=number + 1),
            tuple(d[number] if number < len(d) else None for d in diameters),
        )
        for number in range(count)
    ]
    return assess(days, lesions, repeatability=repeatability)
