"""A patient's images over time: dates, changes of sizes and of class probabilities.

Arithmetic, and no more. A change that is smaller than the error of measuring is said to
be that: of a diameter its repeatability, see `recist`; of a probability how far it
moves when the image is turned, shifted, scaled and made brighter or darker a little.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError, ImageError
from medmodel.core.processes import sandbox
from medmodel.data.patient_regex import endless, untried
from medmodel.evaluation.clinical.recist import REPEATABILITY, Lesion, Visit, assess
from medmodel.language import _

USUAL_PATTERN = r"(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})"
"""Year, month and day one after the other, with or without a mark between them."""
SECONDS = 5
"""Processor time for the names of all images."""
_PATIENCE = 4
"""How many times as much wall time is waited for it, as somebody does."""
_EARLIEST, _LATEST = 1895, 2200
"""Years in which an image may have been taken."""


@dataclass(frozen=True)
class Reading:
    """A class's probability in one image, and how far it moves by small changes.

    Args:
        value: The probability.
        low: The 2.5th centile over small changes of the image.
        high: The 97.5th.
    """

    value: float
    low: float
    high: float


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression that finds a date in a file's name.

    Raises:
        DataError: It is none, or has neither one group nor three.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(
            _("Not a regular expression: {reason}.", reason=error)
        ) from error
    if compiled.groups not in (1, 3):
        raise DataError(
            _(
                "The pattern has {groups} groups: it needs three for year, month and "
                "day, or one for all of them.",
                groups=compiled.groups,
            )
        )
    return compiled


def dates_in_names(names: Sequence[str], pattern: str) -> list[date | None]:
    """The first date in each file's name; None where there is none.

    A pattern that somebody typed is tried in the sandbox, as in `data.patient_regex`:
    it may take for ever, in which nothing else in the process would move.

    Args:
        names: The files' names.
        pattern: As for `compile_pattern`.

    Raises:
        DataError: The pattern is none, or takes too long.
    """
    compiled = compile_pattern(pattern)
    if pattern == USUAL_PATTERN or not names:
        return [date_in_name(name, compiled) for name in names]
    function = f"{__name__}:dates_by_pattern"
    data = json.dumps(list(names)).encode()
    try:
        answer = sandbox.ask(
            function, data, "pattern", SECONDS, _PATIENCE, pattern=pattern
        )
    except sandbox.MachineBusyError as error:
        raise DataError(untried(len(names), _PATIENCE * SECONDS)) from error
    except ImageError as error:
        raise DataError(endless(len(names), SECONDS)) from error
    return [date.fromisoformat(day) if day else None for day in answer["days"]]


def dates_by_pattern(data: bytes, name: str, pattern: str) -> dict[str, Any]:
    """What the sandbox runs on a JSON list of names: ISO 8601 dates, "" for none."""
    compiled = compile_pattern(pattern)
    days = [date_in_name(text, compiled) for text in json.loads(data)]
    return {"days": [day.isoformat() if day else "" for day in days]}


def date_in_name(name: str, pattern: re.Pattern[str]) -> date | None:
    """The first date that a pattern finds in a file's name; None if there is none.

    Args:
        name: The file's name.
        pattern: As from `compile_pattern`.
    """
    for match in pattern.finditer(name):
        parts = [part or "" for part in match.groups()]
        if len(parts) == 1:
            digits = re.sub(r"\D", "", parts[0])
            parts = [digits[:4], digits[4:6], digits[6:]]
        try:
            day = date(*(int(part) for part in parts))
        except ValueError:
            continue  # 20241345 is a number like any other
        if _EARLIEST <= day.year <= _LATEST:
            return day
    return None


def by_patient(keys: Sequence[Mapping[str, str]]) -> list[list[int]]:
    """Positions of the images of each patient, as far as headers tell them apart.

    One group where nothing says that they are of different ones. Names are spelt in
    many ways: they count only where no image has a number.

    Args:
        keys: Of each image, `patient_id`, `patient_name` and `born`, each "" where it
            is not known.
    """
    numbered = any(key["patient_id"] for key in keys)
    names = ("patient_id", "born") if numbered else ("patient_name", "born")
    for name in names:
        values = [key[name] for key in keys]
        if len(set(values) - {""}) > 1:
            return [
                [at for at, other in enumerate(values) if other == value]
                for value in dict.fromkeys(values)
                if value
            ]
    return [list(range(len(keys)))]


def size_visits(
    days: Sequence[date],
    sizes: Sequence[float | None],
    repeatability: float = REPEATABILITY,
) -> list[Visit]:
    """Changes of one lesion's diameter.

    Args:
        days: In ascending order, none twice.
        sizes: In mm at each date; None where it was not measured.
        repeatability: As a share, see `recist.REPEATABILITY`.

    Raises:
        DataError: Dates are not in order, or a size is none.
    """
    lesion = Lesion(_("The lesion"), tuple(sizes))
    return assess(days, [lesion], repeatability=repeatability)


def reading_of(value: float, changed: NDArray[np.floating]) -> Reading:
    """A probability with the range that small changes of the image give it.

    Args:
        value: Of the image itself.
        changed: Of the changed copies, (n,).
    """
    low, high = np.quantile(np.append(changed, value), [0.025, 0.975])
    return Reading(value, min(float(low), value), max(float(high), value))


def is_within_error(first: Reading, last: Reading) -> bool:
    """Whether two probabilities differ less than small changes of the images do.

    The distances towards each other are added in quadrature, as of independent errors.
    """
    lower, upper = sorted((first, last), key=lambda reading: reading.value)
    reach = math.hypot(upper.value - upper.low, lower.high - lower.value)
    return upper.value - lower.value <= reach
