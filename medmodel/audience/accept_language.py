"""The language that a phone prefers (RFC 9110, 12.5.4)."""

from __future__ import annotations

from medmodel.language import LANGUAGES, SOURCE

MOST_LANGUAGES = 20
"""Languages of a header that are looked at: phones name a handful."""


def preferred_language(header: str) -> str:
    """The first of our languages that fits, the most wanted ones asked first.

    As on the pages, `zh-CN`, `zh-TW` and `zh` are all met by `zh_Hans`, for want of a
    nearer one.

    Args:
        header: An Accept-Language header such as `zh-CN,zh;q=0.9,en;q=0.5`.
    """
    weights: dict[str, float] = {}
    for part in header.split(",")[:MOST_LANGUAGES]:
        tag, _separator, parameter = part.partition(";")
        weights.setdefault(tag.strip().lower(), _weight(parameter))
    for tag in sorted(weights, key=lambda tag: -weights[tag]):
        if weights[tag] > 0 and (language := _nearest(tag)):
            return language
    return SOURCE


def _weight(parameter: str) -> float:
    """The q value; 1 where there is none, 0 of one that cannot be read."""
    name, _separator, value = parameter.partition("=")
    if not parameter.strip():
        return 1.0
    try:
        weight = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _nearest(tag: str) -> str | None:
    name = tag.replace("-", "_")
    by_name = {language.lower(): language for language in LANGUAGES}
    if name in by_name:
        return by_name[name]
    primary = name.partition("_")[0]
    return next((x for x in LANGUAGES if x.partition("_")[0] == primary), None)
