"""Values of an attribute as groups: words as they are, ages and numbers as bands.

No value that tells who somebody is becomes a group: ages are bands, over 89 is one
(HIPAA, 45 CFR 164.514(b)(2)(i)(C)), dates and words or codes that hardly repeat from
patient to patient are left out.
"""

from __future__ import annotations

import math
import re
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence

from medmodel.data.attributes.personal_columns import words_of
from medmodel.data.layouts.split_names import without_accents
from medmodel.language import N_, _

MOST_GROUPS = 12
"""Different words of an attribute, at most; of more, hardly any has enough images."""
_FEW_NUMBERS = 6
"""Different numbers up to which each is a group of its own, as codes are."""
_AGES = (18, 40, 65, 90)
_AGE_BANDS = ("0–17", "18–39", "40–64", "65–89", "≥ 90")
_AGE_NAMES = {"age", "patientage", "ageyears", "ageinyears", "patientageyears", "alter"}
_AGE_NAMES |= {"agemonths", "ageinmonths", "ageweeks", "agedays", "ageindays"}
_AGE_NAMES |= {"edad", "idade", "leeftijd", "wiek", "возраст"}
_AGE_PARTS = tuple(map(without_accents, ("年龄", "年齡", "年齢", "나이")))
_NO_AGE = {"bone", "gestational", "dental", "group", "band", "category", "cat", "bin"}
_NO_AGE |= {"range", "class", "decade", "code", "gruppe", "z", "score", "norm"}
_NO_AGE |= {"normalized", "normalised", "scaled", "older", "younger", "over", "under"}
"""Words beside that of an age that make the number another one."""
_UNITS = {"months": 1 / 12, "month": 1 / 12, "weeks": 7 / 365.25, "week": 7 / 365.25}
_UNITS |= {"days": 1 / 365.25, "day": 1 / 365.25}
"""Words of a column's name -> its unit in years."""
_SEX_NAMES = {"sex", "gender", "geschlecht", "sexe", "sexo", "sesso", "пол"}
_SEXES = tuple(
    set(map(without_accents, words.split()))
    for words in (
        "m male man mann männlich homme masculin hombre masculino maschio м муж "
        "мужской 男 男性",
        "f female woman w frau weiblich femme féminin mujer femenino feminino femmina "
        "ж жен женский 女 女性",
    )
)
"""Spellings of one word: M in the header of one scanner is male in another's table."""
_BESIDE_OTHER_M = {"h", "mujer"}
"""Words beside which M may be mujer, a woman, in Spanish: there nothing is joined."""
_AGE = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*([ymwd]?)(?:ears?|onths?|eeks?|ays?|rs?)?", re.I
)
_YEARS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_OLDEST = 130
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?", re.I)
_DATE = re.compile(
    r"(?<!\d)(?:\d{4}([-./])\d{1,2}(?:\1\d{1,2})?|\d{1,2}([-./])\d{1,2}\2\d{2,4}"
    r"|\d{1,2}[-./]\d{4}|\d{1,2}\.? ?[-/]?[^\W\d_]{3,}\.?,? ?[-/]?\d{4}"
    r"|[^\W\d_]{3,9}\.? \d{1,2},? \d{4})(?!\d)|\d{4} ?[年년]"
)
_DECIMAL = re.compile(r"[+-]?\d+\.\d+")
_MONTH = re.compile(
    r"(?:0?[1-9]|1[0-2])\.(?:19|20)\d{2}|(?:19|20)\d{2}\.(?:0?[1-9]|1[0-2])"
)
"""Month and year, written as a decimal number may be."""
_DAY = re.compile(
    r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[ T]?\d{4,6}.*)?"
)
_IDENTIFIER = 10_000
"""Whole numbers up to this and beyond that hardly repeat may be identifiers."""
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "-", "?"}
_MISSING |= {"unknown", "unk", "not stated", "missing", "未知"}
TOO_MANY = N_("{count:,} different values: too many for groups")
DATES = N_("dates: left out, as they may tell who somebody is")
NO_AGES = N_("no ages in years")
IDENTIFIERS = N_("values that hardly repeat: left out, as they may be identifiers")


class NoGroups(ValueError):
    """Why values are no groups, in a few words."""


def is_age(name: str) -> bool:
    """Whether an attribute of this name is an age."""
    words = words_of(name)
    if "".join(words) in _AGE_NAMES:
        return not re.search(r"\d", name)
    named = not _AGE_NAMES.isdisjoint(words) or any(p in name for p in _AGE_PARTS)
    return named and _NO_AGE.isdisjoint(words) and not re.search(r"\d", name)


def is_sex(name: str) -> bool:
    """Whether an attribute of this name is a sex."""
    words = words_of(name)
    return not _SEX_NAMES.isdisjoint(words) or "性别" in name or "性別" in name


def to_groups(
    name: str, values: Sequence[str], persons: Sequence[str] | None = None
) -> list[str]:
    """The group of each value; "" where it is missing.

    Ages become bands, numbers bands of about equally many images where there are more
    than a few, words stay; words that differ only in capitals or blanks are one, and
    so are M and male of a sex.

    Args:
        name: The attribute's; see `is_age`.
        values: As read, one per image.
        persons: Whose each image is, as far as it is known: of most values more than
            one must have it, else they may be identifiers. None where values are known
            to be none.

    Raises:
        NoGroups: These are dates, no ages, identifiers, or too many words.
    """
    texts = [" ".join(value.split()) for value in values]
    texts = ["" if text.casefold() in _MISSING else text for text in texts]
    stated = [text for text in texts if text]
    if is_age(name):
        return _age_bands(texts, _unit(name))
    if _are_dates(stated):
        raise NoGroups(_(DATES))
    numbers = [_number(text) for text in texts]
    distinct = set(numbers) - {None}
    rare = persons is not None and _hardly_repeat(texts, persons)
    if stated and sum(n is not None for n in numbers) == len(stated):
        if len(distinct) > _FEW_NUMBERS:
            if rare and _are_long(numbers):
                raise NoGroups(_(IDENTIFIERS))
            return _number_bands(numbers)
        texts = ["" if n is None else f"{n:.15g}" for n in numbers]
    if rare:
        raise NoGroups(_(IDENTIFIERS))
    joined = is_sex(name) and _BESIDE_OTHER_M.isdisjoint(map(str.casefold, texts))
    return _words(texts, _sex if joined else str.casefold)


def _are_dates(texts: Sequence[str]) -> bool:
    """Whether one of these is a date; of days and months without signs most of them.

    1.5748 is a number: of decimal numbers most must be a month of a year.
    """
    days = sum(_DAY.fullmatch(text) is not None for text in texts)
    decimals = [text for text in texts if _DECIMAL.fullmatch(text)]
    months = sum(_MONTH.fullmatch(text) is not None for text in decimals)
    others = (text for text in texts if not _DECIMAL.fullmatch(text))
    return (
        2 * days > len(texts)
        or 2 * months > len(decimals)
        or any(map(_DATE.search, others))
    )


def _hardly_repeat(texts: Sequence[str], persons: Sequence[str]) -> bool:
    """Whether there are more than half as many values as there are of all persons."""
    pairs = {(p, t.casefold()) for p, t in zip(persons, texts, strict=True) if t}
    return 2 * len({text for _person, text in pairs}) > len(pairs)


def _are_long(numbers: Sequence[float | None]) -> bool:
    """Whether these are whole numbers of as many digits as identifiers have."""
    stated = [number for number in numbers if number is not None]
    return max(stated) >= _IDENTIFIER and all(n.is_integer() for n in stated)


def _words(texts: Sequence[str], word: Callable[[str], str]) -> list[str]:
    """Each text as it is spelt most often; of one word are those of one `word`."""
    spellings: dict[str, Counter[str]] = {}
    for text in filter(None, texts):
        spellings.setdefault(word(text), Counter())[text] += 1
    if len(spellings) > MOST_GROUPS:
        raise NoGroups(_(TOO_MANY, count=len(spellings)))
    usual = {key: count.most_common(1)[0][0] for key, count in spellings.items()}
    return [usual[word(text)] if text else "" for text in texts]


def _sex(text: str) -> str:
    plain = without_accents(text)
    return next((min(sex) for sex in _SEXES if plain in sex), text.casefold())


def _unit(name: str) -> float:
    """Years of the unit that a column's name says; 1 where it says none."""
    words = words_of(name)
    words += ["".join(words).removeprefix("age").removeprefix("in")]
    return next((_UNITS[word] for word in words if word in _UNITS), 1.0)


def _age_bands(texts: Sequence[str], unit: float) -> list[str]:
    years = [_years(text, unit) for text in texts]
    if any(text for text in texts) and all(year is None for year in years):
        raise NoGroups(_(NO_AGES))
    # What is no age is missing: it must not be shown, whatever it is.
    return ["" if y is None else _AGE_BANDS[bisect_right(_AGES, y)] for y in years]


def _years(text: str, unit: float) -> float | None:
    """An age in years: `45`, `045Y`, `6 months`, `90+`; None where it is none."""
    match = _AGE.fullmatch(text.strip("<>≥≤=+ "))
    if match is None:
        return None
    factor = _YEARS[match[2].casefold()] if match[2] else unit
    years = float(match[1].replace(",", ".")) * factor
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
    # Of fewer digits two bands of long numbers could be called alike.
    first, last = f"{low:.15g}", f"{high:.15g}"
    return first if first == last else _("{low} to {high}", low=first, high=last)
