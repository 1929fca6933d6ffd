"""Nicknames: what is left of whatever a phone sends."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.audience.nickname import MOST_LETTERS, cleaned_nickname


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("Anna", "Anna"),
        ("  Anna \t von\n\nDorn ", "Anna von Dorn"),
        ("王小明", "王小明"),
        ("محمد", "محمد"),
        ("Zoe\u0308", "Zoë"),
        ("", ""),
        (" \u200b\u00ad ", ""),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        # Turned round, isolated, embedded: marks of direction.
        ("\u202eanna\u202c", "anna"),
        ("\u200ea\u200fb\u2066c\u2069\u061cd", "abcd"),
        ("<b>Anna</b> & Co", "Anna Co"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<<b>img src=x>A", "img src=xA"),
        ("<<<A>", ""),
        ("1 < 2", "1 2"),
        ("\ufeffA\ud800", "A"),
        ("A\u3000B\u2003C\u2028D", "A B C D"),
        ("\u0301Anna", "Anna"),
        (" \u0301\u0301Anna \u0301B", "Anna B"),
        ("\u3164", ""),
        ("A\u115f\u1160\u2800\uffa0", "A"),
        ("h" + "\u0336" * 40 + "i", "h\u0336\u0336i"),
        ("x" * 99, "x" * MOST_LETTERS),
        ("x" * (MOST_LETTERS - 1) + " yz", "x" * (MOST_LETTERS - 1)),
        ("😀 Ann", "😀 Ann"),
    ],
)
def test_what_is_left(typed: str, left: str) -> None:
    assert cleaned_nickname(typed) == left


@given(st.text(max_size=100))
def test_it_is_one_short_line_without_anything_unseen(typed: str) -> None:
    name = cleaned_nickname(typed)
    assert len(name) <= MOST_LETTERS and name == name.strip()
    assert not set(name) & set("<>&\n\r\t")
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)
    assert cleaned_nickname(name) == name
