"""Nicknames of phones in a reading room: what is left of whatever was typed."""

from __future__ import annotations

import re
import unicodedata

MOST_LETTERS = 24
_MOST_MARKS = 2
"""Accents on one letter: those of living scripts, no towers of them."""
_TAG = re.compile(r"<[^<>]*>")
_LEFT_OUT = frozenset("<>&\u115f\u1160\u2800\u3164\uffa0")
"""Those of markup, and letters of nothing but room: fillers, the blank of braille."""


def cleaned_nickname(text: str) -> str:
    """A name of one short line; "" where nothing is left.

    Control characters, marks that turn the direction of text, characters that nobody
    sees and those of markup are left out.

    Args:
        text: As it was typed.
    """
    letters: list[str] = []
    marks = _MOST_MARKS
    for letter in unicodedata.normalize("NFC", _TAG.sub("", text)):
        category = unicodedata.category(letter)
        if category[0] == "Z" or letter in "\t\n\r":
            letter, category = " ", "Zs"
        if category[0] == "C" or letter in _LEFT_OUT:
            continue
        # A mark on a blank would stand on what is written before the name.
        marks = marks + 1 if category[0] == "M" else _MOST_MARKS * (letter == " ")
        if marks <= _MOST_MARKS:
            letters.append(letter)
    return " ".join("".join(letters).split())[:MOST_LETTERS].rstrip()
