"""Encodings of names in ZIP files; drawn folders of every kind: test_odd_layouts."""

from __future__ import annotations

import pytest

from medmodel.data.archives import zip_names
from medmodel.data.archives.zip_reader import ZipEntry


def entry(name: bytes, is_utf8: bool = False, unicode_name: str = "") -> ZipEntry:
    return ZipEntry(name, is_utf8, unicode_name, 0, 0, 0, 0, 0, 0, 0)


def test_valid_utf8_is_utf8_beside_names_that_are_not() -> None:
    names = ["\u6b63\u5e38".encode(), "\u5f02\u5e38".encode("gb18030"), b"a"]
    entries = [entry(name) for name in names]
    assert zip_names.uncertain_names(entries) == [names[1]]
    decoded = zip_names.decode_names(entries)
    assert decoded == ["\u6b63\u5e38", "\u5f02\u5e38", "a"]


def test_what_says_its_encoding_is_certain() -> None:
    entries = [entry("\u00e9".encode(), True), entry(b"\x82", unicode_name="\u00e9")]
    assert zip_names.uncertain_names(entries) == []
    assert zip_names.decode_names(entries) == ["\u00e9", "\u00e9"]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("gb18030", "\u6b63\u5e38 \u826f\u6027 \u6076\u6027 \u80ba\u708e"),
        ("cp950", "\u6b63\u5e38 \u826f\u6027 \u60e1\u6027 \u80ba\u708e"),
        ("cp932", "\u6b63\u5e38 \u826f\u6027 \u816b\u760d \u80ba\u708e"),
        ("cp949", "\uc815\uc0c1 \uc591\uc131 \uc545\uc131 \ud3d0\ub834"),
        ("cp866", "\u043d\u043e\u0440\u043c\u0430 \u0440\u0430\u043a"),
        ("cp1251", "\u043d\u043e\u0440\u043c\u0430 \u0420\u0410\u041a"),
        ("cp437", "L\u00e9sion M\u00fcller"),
    ],
)
def test_a_single_word_is_enough(encoding: str, words: str) -> None:
    for word in words.split():
        assert zip_names.guess_encodings([word.encode(encoding)])[0] == encoding


def test_japanese_of_unix_is_known_by_several_words() -> None:
    names = ["\u80ba\u708e/\u753b\u50cf1", "\u6b63\u5e38/\u753b\u50cf2"]
    raw = [name.encode("euc_jp") for name in [*names, "\u304c\u3093/\u80f8\u90e8"]]
    assert zip_names.guess_encodings(raw)[0] == "euc_jp"


def test_what_fits_no_encoding_is_read_all_the_same() -> None:
    assert zip_names.guess_encodings([bytes(range(128, 256))])


@pytest.mark.parametrize(
    ("encoding", "code", "usual"),
    [
        # GB 2312: level 1 is rows B0 to D7; below A1 are the rare ones of GBK.
        ("gb18030", b"\xb0\xa1", 1.0),
        ("gb18030", b"\xd7\xa1", 1.0),
        ("gb18030", b"\xaf\xa1", 0.4),
        ("gb18030", b"\xd8\xa1", 0.4),
        ("gb18030", b"\xa1\xa1", 0.4),
        ("gb18030", b"\xb0\xa0", 0.1),
        ("gb18030", b"\xa0\xb0", 0.1),
        # Big 5: frequent ones are A4 to C6.
        ("cp950", b"\xa4\xa1", 0.95),
        ("cp950", b"\xc6\x61", 0.95),
        ("cp950", b"\xa3\xa1", 0.4),
        ("cp950", b"\xc9\xa1", 0.4),
        # KS X 1001: Hangul is B0 to C8.
        ("cp949", b"\xb0\xa1", 0.95),
        ("cp949", b"\xc8\xa1", 0.95),
        ("cp949", b"\xca\xa1", 0.15),
        ("cp949", b"\xb0\xa0", 0.15),
        # JIS X 0208: level 1 of kanji is 88 to 97; kana; katakana of half width.
        ("cp932", b"\x88\x9f", 0.9),
        ("cp932", b"\x97\x9f", 0.9),
        ("cp932", b"\x98\x9f", 0.3),
        ("cp932", b"\x82\x9f", 1.0),
        ("cp932", b"\x81\x5b", 1.0),
        ("cp932", b"\xb1", 0.15),
    ],
)
def test_usual_characters_by_their_place_in_the_table(
    encoding: str, code: bytes, usual: float
) -> None:
    assert zip_names._usual_share(code.decode(encoding), encoding) == usual


@pytest.mark.parametrize(
    ("text", "encoding", "score"),
    [
        ("plain", "cp437", 0.0),
        ("M\u00fcller", "cp437", 0.8),
        ("M\u00fcller and more words", "cp437", 0.8),
        ("a/\u00fc/b", "cp437", 0.0),
        ("M\u00fc\u2592", "cp437", 0.0),
        ("\u0440\u0430\u043a", "cp866", 0.9),
        ("\u0401", "cp866", 0.9),
        ("x\u0440", "cp866", 0.0),
        ("\u0440\u0410", "cp866", 0.35),
        ("M\u00fc\u0085", "cp1252", -0.5),
    ],
)
def test_how_usual_a_name_is(text: str, encoding: str, score: float) -> None:
    """The mean over characters beyond ASCII."""
    assert zip_names._score([text], encoding) == pytest.approx(score)
    assert zip_names._score([text, text], encoding) == pytest.approx(score)


def test_the_same_bytes_are_certain_where_an_entry_says_so() -> None:
    """Bytes that are UTF-8 by their flag, and no UTF-8."""
    name = "\u5f02\u5e38".encode("gb18030")
    decoded = zip_names.decode_names([entry(name), entry(name, True)], "gb18030")
    assert decoded[0] == "\u5f02\u5e38"
    assert decoded[1].encode("utf-8", "surrogateescape") == name


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp852", ["zdrav\u00fd", "p\u0159\u00edznak"]),
        ("cp852", ["prawid\u0142owy", "gru\u017alica"]),
        ("cp1250", ["\u017e\u00e1dn\u00fd", "p\u0159\u00edznak"]),
        (
            "cp737",
            [
                "\u03c6\u03c5\u03c3\u03b9\u03bf\u03bb\u03bf\u03b3\u03b9\u03ba\u03cc",
                "\u03ba\u03b1\u03bb\u03bf\u03ae\u03b8\u03b7\u03c2",
            ],
        ),
        (
            "cp1253",
            [
                "\u03c6\u03c5\u03c3\u03b9\u03bf\u03bb\u03bf\u03b3\u03b9\u03ba\u03cc",
                "\u03ba\u03b1\u03bb\u03bf\u03ae\u03b8\u03b7\u03c2",
            ],
        ),
        ("cp1256", ["\u0633\u0644\u064a\u0645", "\u0645\u0631\u064a\u0636"]),
        ("cp1252", ["sj\u00faklingur"]),
    ],
)
def test_words_of_more_languages_are_guessed(encoding: str, names: list[str]) -> None:
    guess = zip_names.guess_encodings([name.encode(encoding) for name in names])[0]
    assert [name.encode(encoding).decode(guess) for name in names] == names


@pytest.mark.parametrize("encoding", ["cp857", "cp862", "cp1255", "cp720", "cp1254"])
def test_encodings_of_short_words_are_offered(encoding: str) -> None:
    word = {
        "cp857": "de\u011fil",
        "cp1254": "de\u011fil",
        "cp720": "\u0648\u0631\u0645",
    }
    name = word.get(encoding, "\u05ea\u05e7\u05d9\u05df").encode(encoding)
    assert encoding in zip_names.guess_encodings([name])
