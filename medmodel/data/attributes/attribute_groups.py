"""Values of an attribute as groups: words as they are, ages and numbers as bands.

No value that tells who somebody is becomes a group: ages are bands, over 89 is one
(HIPAA, 45 CFR 164.514(b)(2)(i)(C)), dates and columns whose values hardly repeat are
left out.
"""

from __future__ import annotations

import math
import re
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from medmodel.language import N_, _

MOST_GROUPS = 12
"""Different words of an attribute, at most; of more, hardly any has enough images."""
_FEW_NUMBERS = 6
"""Different numbers up to which each is a group of its own, as codes are."""
_AGES = (18, 40, 65, 90)
_AGE_BANDS = ("0–17", "18–39", "40–64", "65–89", "≥ 90")
_AGE_NAMES = {"age", "patientage", "ageyears", "ageinyears", "patientageyears", "alter"}
_AGE_NAMES |= {"edad", "âge", "idade", "возраст", "年龄", "年齡", "年齢", "나이"}
_AGE = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*([ymwd]?)(?:ears?|onths?|eeks?|ays?|rs?)?", re.I
)
_YEARS = {"": 1.0, "y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_OLDEST = 130
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?", re.I)
_DATE = re.compile(r"\d{4}([-./])\d{1,2}\1\d{1,2}.*|\d{1,2}([-./])\d{1,2}\2\d{2,4}.*")
_DAY = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "-", "?"}
_MISSING |= {"unknown", "unk", "not stated", "missing", "未知"}
TOO_MANY = N_("{count:,} different values: too many for groups")
DATES = N_("dates: left out, as they may tell who somebody is")
NO_AGES = N_("no ages in years")


class NoGroups(ValueError):
    """Why values are no groups, in a few words."""


def is_age(name: str) -> bool:
    """Whether an attribute of this name is an age."""
    return re.sub(r"[\W_]+", "", name.casefold()) in _AGE_NAMES


def to_groups(name: str, values: Sequence[str]) -> list[str]:
    """The group of each value; "" where it is missing.

    Ages become bands, numbers bands of about equally many images where there are more
    than a few, words stay; words that differ only in capitals or blanks are one.

    Args:
        name: The attribute's; see `is_age`.
        values: As read, one per image.

    Raises:
        NoGroups: These are dates, no ages, or too many words.
    """
    texts = [" ".join(value.split()) for value in values]
    texts = ["" if text.casefold() in _MISSING else text for text in texts]
    stated = [text for text in texts if text]
    if is_age(name):
        return _age_bands(texts)
    if stated and all(_DATE.fullmatch(t) or _DAY.fullmatch(t) for t in stated):
        raise NoGroups(_(DATES))
    numbers = [_number(text) for text in texts]
    if stated and sum(n is not None for n in numbers) == len(stated):
        if len(set(numbers) - {None}) > _FEW_NUMBERS:
            return _number_bands(numbers)
        return ["" if n is None else f"{n:g}" for n in numbers]
    return _words(texts)


def _words(texts: Sequence[str]) -> list[str]:
    spellings: dict[str, Counter[str]] = {}
    for text in filter(None, texts):
        spellings.setdefault(text.casefold(), Counter())[text] += 1
    if len(spellings) > MOST_GROUPS:
        raise NoGroups(_(TOO_MANY, count=len(spellings)))
    usual = {key: count.most_common(1)[0][0] for key, count in spellings.items()}
    return [usual.get(text.casefold(), "") for text in texts]


def _age_bands(texts: Sequence[str]) -> list[str]:
    years = [_years(text) for text in texts]
    if any(text for text in texts) and all(year is None for year in years):
        raise NoGroups(_(NO_AGES))
    # What is no age is missing: it must not be shown, whatever it is.
    return ["" if y is None else _AGE_BANDS[bisect_right(_AGES, y)] for y in years]


def _years(text: str) -> float | None:
    """An age in years: `45`, `045Y`, `6 months`, `90+`; None where it is none."""
    match = _AGE.fullmatch(text.strip("<>≥≤=+ "))
    if match is None:
        return None
    years = float(match[1].replace(",", ".")) * _YEARS[match[2].casefold()]
    return years if years <= _OLDEST else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text.replace(",", "."))
    return number if math.isfinite(number) else None


def _number_bands(numbers: Sequence[float | None]) -> list[str]:
    """Bands between the quartiles, each named by its ends."""
    stated = sorted(number for number in numbers if number is not None)
    cuts = sorted(set(statistics.quantiles(stated, n=4, method="inclusive")))
    inside: dict[int, list[float]] = {}
    for number in stated:
        inside.setdefault(bisect_right(cuts, number), []).append(number)
    names = {band: _ends(each[0], each[-1]) for band, each in inside.items()}
    return ["" if n is None else names[bisect_right(cuts, n)] for n in numbers]


def _ends(low: float, high: float) -> str:
    return f"{low:g}" if low == high else _("{low:g} to {high:g}", low=low, high=high)
