"""RECIST 1.1 of measured target lesions: sums, changes, category; arithmetic alone.

Non-target lesions, biopsies and a reader's judgement are not in it. Nothing here
decides about a person.

References: Eisenhauer et al., European Journal of Cancer 45 (2009) 228, sections 4.3.1
and 4.3.2 (target lesions) and 4.3.5 (new lesions). Repeatability: Zhao et al.,
Radiology 252 (2009) 263: same-day repeat CT of lung lesions, 95 % limits of agreement
of the diameter -7.3 % to 6.2 %. Doubling time: Schwartz, Cancer 14 (1961) 1272.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from medmodel.core.errors import DataError
from medmodel.language import N_, _

MOST_LESIONS = 5
"""Target lesions in all; two at most in one organ, which nobody tells us."""
NODE_IS_NORMAL = 10.0
"""Millimetres of the short axis below which a lymph node is normal."""
LARGEST_MM = 1000.0
PROGRESSION, RESPONSE = 0.20, 0.30
PROGRESSION_MM = 5.0
REPEATABILITY = 0.07
"""Share of a diameter within which two measurements of the same lesion lie."""


class Response(str, Enum):
    """Category of the target lesions at one date."""

    BASELINE = N_("baseline")
    COMPLETE = N_("complete response (CR)")
    PARTIAL = N_("partial response (PR)")
    STABLE = N_("stable disease (SD)")
    PROGRESSIVE = N_("progressive disease (PD)")
    NOT_EVALUABLE = N_("not evaluable (NE)")


@dataclass(frozen=True)
class Lesion:
    """A target lesion.

    Args:
        name: What it is called.
        diameters: In mm at each date: the longest, of lymph nodes the short axis; 0
            where it has disappeared, None where it was not measured.
        is_node: Whether it is a lymph node.
    """

    name: str
    diameters: tuple[float | None, ...]
    is_node: bool = False


@dataclass(frozen=True)
class Visit:
    """The target lesions at one date.

    Args:
        day: The date.
        total: Sum of diameters in mm; None where a lesion was not measured.
        change: From baseline, as a share of it; None where either is not known.
        change_from_lowest: From the smallest sum before, as a share; likewise.
        rise: From the smallest sum before, in mm; likewise.
        category: By RECIST 1.1.
        within_error: Whether the change from baseline is smaller than what measuring
            the same lesions again would give.
        doubling_days: Days in which the volume of all lesions doubles at the pace since
            the date before; negative where it halves; None where the sum did not
            change, or is not known.
        new_lesion: Whether a new lesion was seen, which alone is progression.
    """

    day: date
    total: float | None
    change: float | None
    change_from_lowest: float | None
    rise: float | None
    category: Response
    within_error: bool
    doubling_days: float | None
    new_lesion: bool = False


def assess(
    days: Sequence[date],
    lesions: Sequence[Lesion],
    new_lesions: Sequence[bool] = (),
    repeatability: float = REPEATABILITY,
) -> list[Visit]:
    """The category of each date; the first one is the baseline.

    Args:
        days: In ascending order, none twice.
        lesions: One to `MOST_LESIONS` target lesions.
        new_lesions: Whether a new lesion was seen at each date; none by default.
        repeatability: See `REPEATABILITY`; 0 to 1.

    Raises:
        DataError: Dates are not in order, there are too few or too many lesions, or a
            diameter is none.
    """
    _check(days, lesions)
    new = list(new_lesions) or [False] * len(days)
    sums = [_total(lesions, at) for at in range(len(days))]
    error = _error(lesions, repeatability)
    visits: list[Visit] = []
    for at, (day, total) in enumerate(zip(days, sums, strict=True)):
        earlier = [s for s in sums[:at] if s is not None]
        lowest = min(earlier) if earlier else None
        change = change_of(total, sums[0]) if at else None
        rise = None if total is None or lowest is None else total - lowest
        within = bool(
            at
            and total is not None
            and sums[0] is not None
            and abs(total - sums[0]) <= error
        )
        visits.append(
            Visit(
                day=day,
                total=total,
                change=change,
                change_from_lowest=change_of(total, lowest),
                rise=rise,
                category=_category(
                    lesions, at, sums, new[at], [v.category for v in visits]
                ),
                within_error=within,
                doubling_days=doubling_days(days, sums, at),
                new_lesion=new[at],
            )
        )
    return visits


def _check(days: Sequence[date], lesions: Sequence[Lesion]) -> None:
    if not days or list(days) != sorted(set(days)):
        raise DataError(_("Give each date once, the earliest first."))
    if not 1 <= len(lesions) <= MOST_LESIONS:
        raise DataError(
            _("RECIST 1.1 has 1 to {most} target lesions.", most=MOST_LESIONS)
        )
    for lesion in lesions:
        if len(lesion.diameters) != len(days):
            raise DataError(
                _("{name} needs one diameter for each date.", name=lesion.name)
            )
        for diameter in lesion.diameters:
            if diameter is not None and not 0 <= diameter <= LARGEST_MM:
                raise DataError(
                    _(
                        "A diameter of {name} is {value:g} mm: it must lie between 0 "
                        "and {most:g}.",
                        name=lesion.name,
                        value=diameter,
                        most=LARGEST_MM,
                    )
                )


def _total(lesions: Sequence[Lesion], at: int) -> float | None:
    diameters = [lesion.diameters[at] for lesion in lesions]
    measured = [d for d in diameters if d is not None]
    return math.fsum(measured) if len(measured) == len(lesions) else None


def change_of(total: float | None, reference: float | None) -> float | None:
    """A change as a share of where it began; None where that is 0, or not known."""
    if total is None or not reference:
        return None
    return (total - reference) / reference


def _error(lesions: Sequence[Lesion], repeatability: float) -> float:
    """By how many mm the sum at baseline differs when measured again.

    The errors of single lesions are independent of each other.
    """
    first = [lesion.diameters[0] or 0.0 for lesion in lesions]
    return repeatability * math.sqrt(math.fsum(d**2 for d in first))


def _category(
    lesions: Sequence[Lesion],
    at: int,
    sums: Sequence[float | None],
    new: bool,
    before: Sequence[Response],
) -> Response:
    if at == 0:
        return Response.BASELINE if sums[0] else Response.NOT_EVALUABLE
    if new:
        return Response.PROGRESSIVE
    total, baseline = sums[at], sums[0]
    if total is None or not baseline:
        return Response.NOT_EVALUABLE
    if all(_is_gone(lesion, at) for lesion in lesions):
        return Response.COMPLETE
    if Response.COMPLETE in before:  # what comes back then is progression
        return Response.PROGRESSIVE
    lowest = min(s for s in sums[:at] if s is not None)
    # Shares of sums in tenths of a millimetre: 24 of 20 is 20 % more, not 19.999 %.
    slack = 1e-9 * max(total, 1.0)
    grown = total - lowest
    if grown >= PROGRESSION * lowest - slack and grown >= PROGRESSION_MM - slack:
        return Response.PROGRESSIVE
    if total <= (1 - RESPONSE) * baseline + slack:
        return Response.PARTIAL
    return Response.STABLE


def _is_gone(lesion: Lesion, at: int) -> bool:
    diameter = lesion.diameters[at]
    assert diameter is not None
    return diameter < NODE_IS_NORMAL if lesion.is_node else diameter == 0


def doubling_days(
    days: Sequence[date], sums: Sequence[float | None], at: int
) -> float | None:
    """Days in which a volume doubles, which goes as the third power of a diameter.

    Args:
        days: In ascending order.
        sums: Of diameters at each; None where it is not known.
        at: Of which date; the pace is that since the one before with a sum.

    Returns:
        Negative where it halves; None where it does not change or is not known.
    """
    before = next((k for k in range(at - 1, -1, -1) if sums[k] is not None), None)
    total = sums[at]
    if before is None or not total or not sums[before]:
        return None
    growth = 3 * math.log(total / float(sums[before] or 1.0))
    if abs(growth) < 1e-12:
        return None
    return (days[at] - days[before]).days * math.log(2) / growth
