"""Arabic and Hebrew as they are drawn: letters joined, from right to left.

For what draws one letter after the other from left to right, as PDF does. Such words
stand in lines that run from left to right, so that each stretch of them is turned by
itself and what follows stays behind it: "name (96 %)", whatever the name.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

_RIGHT = ("R", "AL")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_ENDS = ("L", "FSI", "PDI")
_ISOLATE, _END = "\u2068", "\u2069"
_OPENING, _CLOSING = "([{<«‹", ")]}>»›"
_MIRRORED = str.maketrans(_OPENING + _CLOSING, _CLOSING + _OPENING)
_PLACES = ("isolated", "initial", "final", "medial")
_TATWEEL, _JOINER = "\u0640", "\u200d"


def as_drawn(text: str) -> str:
    """The text in the order in which its letters stand on paper, from the left.

    Letters with accents are composed where Unicode has them so; Arabic letters take
    the forms of their places in the word. Text without such letters stays as it is.

    Reference: Unicode Standard Annex 9 (bidirectional algorithm), each stretch of words
    as in an isolate; chapter 9.2 (cursive joining).
    """
    text = unicodedata.normalize("NFC", text)
    parts, end = [], 0
    for first, last in _stretches(text):
        parts += [text[end:first], _turned(_joined(text[first:last]))]
        end = last
    return "".join([*parts, text[end:]])


def isolated(name: str) -> str:
    """A name that numbers or other names follow, so that these stay behind it.

    Browsers would put "name 12, name 7" in an order in which a number stands beside the
    wrong name. Names from left to right stay as they are.
    """
    if any(unicodedata.bidirectional(letter) in _RIGHT for letter in name):
        return f"{_ISOLATE}{name}{_END}"
    return name


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the parts that run from right to left.

    From such a letter to the last one before a letter that runs from left to right, or
    before the end of an isolate, with brackets that belong to brackets between them.
    """
    kinds = [unicodedata.bidirectional(letter) for letter in text]
    at, before = 0, 0
    while at < len(text):
        if kinds[at] not in _RIGHT:
            at += 1
            continue
        first = last = at
        while at < len(text) and kinds[at] not in _ENDS:
            if kinds[at] in _RIGHT or (kinds[at] == "NSM" and last == at):
                last = at + 1
            at += 1
        first, last = _with_brackets(text, first, last, before)
        yield first, last
        at = before = last


def _with_brackets(text: str, first: int, last: int, before: int) -> tuple[int, int]:
    inside = text[first:last]
    for opening, closing in zip(_OPENING, _CLOSING, strict=True):
        missing = inside.count(opening) - inside.count(closing)
        if missing > 0 and text[last : last + 1] == closing:
            last += 1
        if missing < 0 and first > before and text[first - 1] == opening:
            first -= 1
    return first, last


def _turned(text: str) -> str:
    """The letters from the last to the first, a mark before its letter; numbers whole.

    Fonts for words from right to left draw a mark over what comes after it.
    """
    units = re.findall(rf"{_NUMBER.pattern}|.", text, re.DOTALL)
    return "".join(unit.translate(_MIRRORED) for unit in reversed(units))


def _joined(text: str) -> str:
    """Arabic letters in their forms: alone, at the start, in the middle, at the end."""
    forms = _forms()
    # Marks above and below a letter do not part it from the next one.
    letters = re.findall(r"(.)([\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670]*)", text)
    shown: list[str] = []
    before, at = "", 0
    while at < len(letters):
        letter, marks = letters[at]
        if at + 1 < len(letters) and not marks and letter + letters[at + 1][0] in forms:
            at += 1
            marks = letters[at][1]
            letter += letters[at][0]
        at += 1
        after = letters[at][0] if at < len(letters) else ""
        from_before = _joins_next(before) and _joins_before(letter)
        to_after = _joins_next(letter) and _joins_before(after)
        kind = _PLACES[2 * from_before + to_after]
        shown.append(forms.get(letter, {}).get(kind, letter) + marks)
        before = letter
    return "".join(shown)


def _joins_next(letter: str) -> bool:
    return letter in (_TATWEEL, _JOINER) or "initial" in _forms().get(letter, {})


def _joins_before(letter: str) -> bool:
    return letter in (_TATWEEL, _JOINER) or "final" in _forms().get(letter, {})


@functools.cache
def _forms() -> dict[str, dict[str, str]]:
    """Letter, or lam with alef -> its form for each place, as Unicode has them."""
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFDFC), *range(0xFE80, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        word = "".join(chr(int(letter, 16)) for letter in letters)
        pair = len(word) == 2 and word[0] == "\u0644" and code >= 0xFEF5
        if len(word) == 1 or pair:
            forms.setdefault(word, {})[kind.strip("<>")] = chr(code)
    return forms
