"""Numbers and dates as a language writes them."""

from __future__ import annotations

import string
from datetime import date, datetime, timezone
from functools import cache
from typing import Any

from medmodel.language.catalogue import SOURCE
from medmodel.language.present import present_language


def format_number(value: float, spec: str) -> str:
    """A number with the decimal point and the digits' groups of the language.

    Args:
        value: The number.
        spec: As for Python's `format`: ",", ".3f", ".0%".
    """
    text = format(value, spec)
    signs = _signs(present_language())
    return text.translate(signs) if signs else text


@cache
def _signs(language: str) -> dict[int, str]:
    """What stands for the comma and the point of English; empty where they stay."""
    if language == SOURCE:
        return {}
    from babel.numbers import get_decimal_symbol, get_group_symbol

    signs = {",": get_group_symbol(language), ".": get_decimal_symbol(language)}
    return {ord(a): b for a, b in signs.items() if a != b}


def format_date(day: date) -> str:
    """A day, such as 29 Nov 2026 or 2026年11月29日."""
    language = present_language()
    if language == SOURCE:
        return f"{day:%d %b %Y}"
    from babel.dates import format_date

    return format_date(day, "medium", locale=language)


def format_utc(moment: float) -> str:
    """A moment, such as 29 Nov 2026, 09:05 UTC or 2026年11月29日 09:05 UTC.

    Args:
        moment: Seconds since 1970-01-01 00:00 UTC.
    """
    day = datetime.fromtimestamp(moment, timezone.utc)
    comma = "," if present_language() == SOURCE else ""
    return f"{format_date(day)}{comma} {day:%H:%M} UTC"


class SentenceFormatter(string.Formatter):
    """Like `str.format`, with numbers as the language writes them.

    Only names stand in a text, no attributes or items of them: a translation cannot
    reach into what it is given.
    """

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        """The value of one name.

        Raises:
            KeyError: There is no value of this name.
        """
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value as text."""
        if isinstance(value, int | float) and format_spec:
            return format_number(value, format_spec)
        return str(format(value, format_spec))
