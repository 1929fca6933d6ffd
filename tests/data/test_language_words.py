"""What can be a word of a language, and what cannot."""

from __future__ import annotations

import pytest

from medmodel.data.language_words import is_language


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (["pøíznak"], "cp1252"),  # no language has both
        (["LÑsion"], "mac_roman"),
        (["GRößE"], "cp1252"),
        (["³ód"], "cp1252"),
        (["прстнв"], "cp1251"),
        (["НОРма"], "cp1251"),
        (["лёd"], "cp1251"),
        (["σφυσ"], "iso8859_7"),
        (["ςα"], "cp1253"),
        (["άέ"], "cp1253"),
        (["ןמ"], "cp1255"),
        (["ةا"], "cp1256"),
        (["ิก"], "cp874"),
        (["ééé"], "cp1252"),
        (["ﾝﾞ玳ﾐ"], "cp932"),
    ],
)
def test_no_words(words: list[str], encoding: str) -> None:
    assert not is_language(words, encoding)


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (["d’Îles", "Röntgen – Bild"], "cp1252"),
        (["MÜNCHEN", "Straße", "STRAßE"], "cp1252"),
        (["МРТ-снимок", "ПЭТ"], "cp1251"),
        (["a 37 °C"], "cp1252"),
        ([], "cp1251"),
        (["plain"], "cp1253"),
        (["ｶﾞﾝ", "肺ガン"], "cp932"),
    ],
)
def test_words(words: list[str], encoding: str) -> None:
    assert is_language(words, encoding)
