"""Words of a language: whether text that was decoded by a guess can be right.

A word is of one script, of letters of one language, in an order that it allows: no
capital among small letters, no final letter in the middle, neither consonants nor
vowels alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

EAST_ASIAN = ("gb18030", "cp950", "cp932", "euc_jp", "cp949")
"""Encodings of which any characters may stand beside each other."""
_LATIN = {
    "German": "äöüß",
    "French": "àâæçéèêëîïôœùûüÿ",
    "Spanish": "áéíñóúü",
    "Portuguese": "áâãàçéêíóôõúü",
    "Italian": "àèéìíòóùú",
    "Dutch": "ëïéèöüáó",
    "Danish": "æøåéó",
    "Swedish": "åäöé",
    "Icelandic": "áéíóúýþæöð",
    "Catalan": "àçéèíïóòúü",
    "Czech": "áčďéěíňóřšťúůýž",
    "Slovak": "äáčďéíĺľňóôŕšťúýž",
    "Polish": "ąćęłńóśźż",
    "Hungarian": "áéíóöőúüű",
    "Croatian": "čćđšž",
    "Romanian": "ăâîşţ",
    "Turkish": "çğıöşüâîûi̇",
    "Lithuanian": "ąčęėįšųūž",
    "Latvian": "āčēģīķļņšūž",
    "Estonian": "äõöüšž",
}
"""Letters beside a to z."""
SCRIPTS = {
    "cp1251": "CYRILLIC",
    "koi8_r": "CYRILLIC",
    "cp866": "CYRILLIC",
    "iso8859_7": "GREEK",
    "cp737": "GREEK",
    "cp1253": "GREEK",
    "cp1255": "HEBREW",
    "cp862": "HEBREW",
    "cp1256": "ARABIC",
    "cp720": "ARABIC",
    "cp874": "THAI",
}
"""Encodings of other scripts than the Latin one."""
_VOWELS = {"CYRILLIC": "аеёиоуъыэюяіїєў", "GREEK": "αεηιουωάέήίόύώϊϋΐΰ"}
_VOWEL_SHARE = 0.15, 0.8
"""Of vowels among the letters of a text, at least and at most."""
_ONLY_LAST = {"HEBREW": "ךםןףץ", "ARABIC": "ةى", "GREEK": "ς"}
"""Letters that only end a word."""
_ACCENTED = "άέήίόύώΐΰ"
"""A Greek word has one of them."""
_THAI = re.compile(r"(?:[เแโใไ]?[ก-ฮ][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*[ะาำๅ]*|[ฯๆ])+")
"""Vowels and tone marks stand at consonants."""
_MARKS_BETWEEN_WORDS = "–—‘’“”„«»…°µ±×·•§%‰€£ªº¿¡"
_BETWEEN = "[–—’·׳״\u200c-\u200f]"
"""What stands inside of words."""


def is_language(words: Sequence[str], encoding: str) -> bool:
    """Whether texts are words of one language that this encoding is for."""
    tokens = [token for word in words for token in _tokens(word)]
    if not tokens or encoding in EAST_ASIAN:
        return all(map(is_text, words)) and not any(map(_mixes_widths, tokens))
    letters = "".join(tokens)
    if not all(c.isalpha() or unicodedata.category(c) in ("Mn", "Mc") for c in letters):
        return False
    script = SCRIPTS.get(encoding, "LATIN")
    if any(_script(c) != script for c in letters):
        return False
    if script != "LATIN":
        return _is_script(tokens, script)
    mostly_plain = 3 * sum(not c.isascii() for c in letters) <= 2 * len(letters)
    return (
        mostly_plain
        and all(map(is_of_one_language, tokens))
        and not any(map(_has_odd_capitals, tokens))
    )


def is_of_one_language(letters: str) -> bool:
    """Whether one language that is written in Latin letters has all of these."""
    foreign = {c for c in letters.lower() if not c.isascii()}
    return any(foreign <= set(alphabet) for alphabet in _LATIN.values())


def is_text(word: str) -> bool:
    """Whether a text holds letters that exist, and nothing that controls a terminal."""
    return not any(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") for c in word)


def _tokens(text: str) -> list[str]:
    """The words of a text that hold letters beyond ASCII."""
    parts = re.split(r"[\x00-@\[-`{-\x7f]+", text)
    parts = [
        word
        for part in parts
        for word in re.split(_BETWEEN, part.strip(_MARKS_BETWEEN_WORDS))
    ]
    return [part for part in parts if part and not part.isascii()]


def _mixes_widths(word: str) -> bool:
    """Whether katakana of half width stand among other letters."""
    return len({"\uff61" <= char <= "\uff9f" for char in word}) > 1


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _is_script(tokens: Sequence[str], script: str) -> bool:
    """Whether words of another script than the Latin one are such as it allows."""
    if script == "THAI":
        return all(map(_THAI.fullmatch, tokens))
    if any(c in _ONLY_LAST.get(script, "") for token in tokens for c in token[:-1]):
        return False
    if script == "HEBREW":
        return "".join(tokens).isalpha()
    if script == "ARABIC":
        return True
    letters = "".join(tokens).lower()
    least, most = (share * len(letters) for share in _VOWEL_SHARE)
    vowels = sum(c in _VOWELS[script] for c in letters)
    if len(letters) > 4 and not least <= vowels <= most:
        return False
    if any(sum(c in _ACCENTED for c in token) > 1 for token in tokens):
        return False
    if any(token[-1] == "σ" for token in tokens):  # a final one is written otherwise
        return False
    return not any(map(_has_odd_capitals, tokens))


def _has_odd_capitals(word: str) -> bool:
    """Whether a letter beyond ASCII is a capital where the others are small, or not."""
    foreign = [c for c in word if not c.isascii() and c != "ß"]
    if any(map(str.islower, word)) and any(
        c.isupper() for c in foreign if c not in word[:1]
    ):
        return True
    others = [c for c in word if c.isascii() and c.isalpha()]
    capitals = len(others) > 1 and all(map(str.isupper, others))
    return capitals and any(map(str.islower, foreign))
