"""Arabic and Hebrew in the order and the forms in which they are drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.language.right_to_left import as_drawn, isolated


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("normal (96 %), 肺炎", "normal (96 %), 肺炎"),
        ("e\u0301cole", "école"),
        ("", ""),
        # Hebrew is turned; what runs from left to right stays where it is.
        ("גדול", "לודג"),
        ("Class: גדול (96 %)", "Class: לודג (96 %)"),
        ("גדול b גדול", "לודג b לודג"),
        # Numbers stay whole, brackets turn, also those at an end.
        ("גדול 12.5 קמ", "מק 12.5 לודג"),
        ("גדול (קט)", "(טק) לודג"),
        ("(קט) גדול", "לודג (טק)"),
        ("(גדול)", "(לודג)"),
        # Four letters of one word: start, middle, middle, end.
        ("طبيع", "\ufeca\ufef4\ufe92\ufec3"),
        # Alef joins to nothing after it; lam and alef are one form.
        ("داء", "\ufe80\ufe8d\ufea9"),
        ("لا", "\ufefb"),
        ("بلا", "\ufefc\ufe91"),
        # A mark does not part letters, and stands before its own.
        ("بَب", "\ufe90\u064e\ufe91"),
        # Persian: a letter that is not to be joined.
        ("می\u200cخ", "\ufea5\u200c\ufbfd\ufee3"),
    ],
)
def test_words_as_they_are_drawn(text: str, drawn: str) -> None:
    assert as_drawn(text) == drawn


def test_numbers_stay_behind_the_names_that_they_belong_to() -> None:
    names = ", ".join(
        f"{isolated(name)} {n}" for n, name in enumerate(["קט", "a", "גד"])
    )
    assert names == "\u2068קט\u2069 0, a 1, \u2068גד\u2069 2"
    drawn = as_drawn(names)
    assert drawn == "\u2068טק\u2069 0, a 1, \u2068דג\u2069 2"
    assert as_drawn(f"{isolated('קט')} 1, {isolated('גד')} 2").startswith("\u2068טק")


@given(st.text("aب(ל 1.)\u064e\u200cا", max_size=12))
def test_nothing_is_lost(text: str) -> None:
    drawn = as_drawn(text)
    for letter in "aל1. \u064e":
        assert drawn.count(letter) == text.count(letter)
