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


def test_what_fits_no_encoding_is_read_all_the_same() -> None:
    assert zip_names.guess_encodings([bytes(range(128, 256))])
