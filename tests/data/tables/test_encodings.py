"""Texts that do not say their encoding: read rightly, or asked about, never renamed."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter

import pytest
from babel import Locale

from medmodel.data.language_words import is_language
from medmodel.data.tables import encodings
from medmodel.data.tables.encodings import (
    ENCODINGS,
    decoded_cells,
    likely_encodings,
    names_of,
    possible_encodings,
)

LANGUAGES = {
    "cp1250": ("cs", "pl", "hu", "hr", "sl", "sk", "ro"),
    "cp1251": ("ru", "uk", "bg", "sr", "mk"),
    "cp1252": ("de", "fr", "es", "pt", "it", "sv", "da", "nl", "is", "fi", "ca"),
    "cp1253": ("el",),
    "cp1254": ("tr",),
    "cp1255": ("he",),
    "cp1256": ("ar", "fa"),
    "cp1257": ("lt", "lv", "et"),
    "cp874": ("th",),
    "cp932": ("ja",),
    "gb18030": ("zh",),
    "cp950": ("zh_Hant",),
    "cp949": ("ko",),
    "koi8_r": ("ru",),
}
LEAST_READ = {"cp932": 0.9, "gb18030": 0.7, "cp950": 0.8, "cp1251": 0.9, "cp1253": 0.9}
"""Shares of pairs of words that are read without a question, at least."""


def text_of(words: list[str], encoding: str) -> bytes:
    return ("file,label\n" + "".join(f"1.png,{w}\n" for w in words)).encode(encoding)


def read(words: list[str], encoding: str) -> list[list[str]]:
    """The different readings between which somebody would have to choose."""
    cells = [word.encode(encoding) for word in words if not word.isascii()]
    readings: dict[str, list[str]] = {}
    for each in possible_encodings(text_of(words, encoding)):
        decoded = [cell.decode(each, "replace") for cell in cells]
        if is_language(decoded, each) and decoded not in readings.values():
            readings[each] = decoded
    return [readings[each] for each in likely_encodings(readings)]


def names(language: str, encoding: str) -> list[str]:
    """Names of languages and countries, which stand for names of classes."""
    locale = Locale.parse(language)
    words = {*locale.languages.values(), *locale.territories.values()}
    words = {unicodedata.normalize("NFC", word) for word in words}
    return sorted(
        word
        for word in words
        if not word.isascii()
        and word.encode(encoding, "ignore").decode(encoding) == word
    )


@pytest.mark.parametrize("encoding", LANGUAGES)
def test_two_words_are_read_rightly_or_asked_about(encoding: str) -> None:
    chance = random.Random(encoding)
    outcomes: Counter[str] = Counter()
    for language in LANGUAGES[encoding]:
        choice = names(language, encoding)
        for _ in range(60):
            words = chance.sample(choice, 2)
            readings = read(words, encoding)
            outcomes["read" if readings == [words] else "asked"] += 1
            # Nothing at all is refused with a sentence.
            assert len(readings) != 1 or readings == [words], (language, words)
    share = outcomes["read"] / outcomes.total()
    assert share >= LEAST_READ.get(encoding, 0), outcomes


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1250", ["prawidłowy", "gruźlica"]),
        ("cp1250", ["příznak", "bez nálezu"]),
        ("cp1251", ["норма", "опухоль"]),
        ("cp1252", ["Läsion", "Größe"]),
        ("cp1252", ["pulmão", "coração"]),
        ("cp1253", ["φυσιολογικό", "πνευμονία"]),
        ("cp1255", ["גידול שפיר", "גידול ממאיר"]),
        ("cp1256", ["سليم", "مريض"]),
        ("cp874", ["ปกติ", "ผิดปกติ"]),
        ("cp932", ["正常", "肺炎"]),
        ("cp932", ["あり", "なし"]),
        ("gb18030", ["正常", "肺炎"]),
        ("gb18030", ["良性", "恶性"]),
        ("cp950", ["良性", "惡性"]),
        ("cp949", ["정상", "폐렴"]),
        ("koi8_r", ["норма", "опухоль"]),
    ],
)
def test_words_of_medicine_are_read(encoding: str, words: list[str]) -> None:
    assert read(words, encoding) == [words]


@pytest.mark.parametrize(
    ("encoding", "words", "other"),
    [
        ("cp1252", ["sévère"], "sévčre"),
        ("cp1250", ["čisté"], "èisté"),
        ("cp1252", ["niño"], "nińo"),
        ("cp1250", ["zdravý"], "zdravı"),
        ("cp1254", ["sağlıklı"], "saðlýklý"),
        ("iso8859_2", ["žádný"], "ľádný"),
        ("mac_roman", ["Läsion"], "L郭ion"),
    ],
)
def test_what_may_be_two_words_is_asked_about(
    encoding: str, words: list[str], other: str
) -> None:
    readings = read(words, encoding)
    assert words in readings and [other] in readings


@pytest.mark.parametrize("encoding", ["cp866", "cp437", "cp850"])
def test_encodings_of_dos_are_no_words_or_asked_about(encoding: str) -> None:
    word = "норма" if encoding == "cp866" else "Läsion"
    assert len(read([word], encoding)) != 1


def test_names_of_files_tell_the_encoding() -> None:
    content = "file,label\nè.png,sévère\n".encode("cp1252")
    assert possible_encodings(content, names_of(["images/è.png"])) == ["cp1252"]
    assert possible_encodings(content, names_of(["images/c.png"]))[1:]
    assert names_of(["a/b.png", "ä/B.png", "x/É.tif"]) == {"ä", "é"}


@pytest.mark.parametrize("text", ["", "a,b\n", "ä,b\n", "正,b\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_certain(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    (possible,) = possible_encodings(content)
    assert content.decode(possible) == text
    assert not decoded_cells(content)


def test_a_cut_letter_does_not_count() -> None:
    assert possible_encodings("a,ä".encode()[:-1]) == ["utf-8-sig"]
    whole = "a,正常\nb,肺炎\n".encode("gb18030")
    assert possible_encodings(whole[:-2])[0] == "gb18030"


@pytest.mark.parametrize("content", [b"a,\x01\xff\x81\n", b"\x81\x01"])
def test_what_is_no_text_has_no_encoding(content: bytes) -> None:
    assert possible_encodings(content) == []


def test_every_reading_is_offered_the_likeliest_first() -> None:
    content = text_of(["sévère", "bénin"], "cp1252")
    offered = decoded_cells(content)
    assert offered["cp1252"] == ["sévère", "bénin"]
    assert offered["cp1250"] == ["sévčre", "bénin"]
    assert set(offered) <= set(ENCODINGS)
    assert set(list(offered)[:2]) == {"cp1252", "cp1250"}


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b"a,b\n", []),
        (b"\xe4,b\n", [b"\xe4"]),
        (b"a;x\xe4y\tb\r\n\xe4;\xe4\n\xfc", [b"x\xe4y", b"\xe4"]),
        (b"a,\xe4", [b"\xe4"]),
        (b"ab\xe4", [b"ab\xe4"]),
        (b"\xe4\n" * 9, [b"\xe4"]),
        (b"a b\xfc c\n\xe4\xe4\xe4,\n", [b"a b\xfc c", b"\xe4\xe4\xe4"]),
    ],
)
def test_cells_beyond_ascii(content: bytes, cells: list[bytes]) -> None:
    assert encodings._foreign_cells(content) == cells


def test_so_many_cells_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "_MOST_CELLS", 2)
    assert encodings._foreign_cells(b"\xe4,\xe5,\xe6,\n") == [b"\xe4", b"\xe5"]
