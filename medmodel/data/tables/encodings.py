"""Encodings that a table's text may have where nothing in the file says so.

UTF-8 and UTF-16 are certain. Spreadsheets of other countries write an encoding that the
file does not name. The bytes are decoded in each: an encoding is possible where the
words that come out are words, letters of one language, in an order that it allows. As a
rule one encoding, or several that give the same text, is left. Where two are left with
different texts a person has to choose: a guess could rename a class.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from medmodel.data.archives.zip_names import character_usualness
from medmodel.data.language_words import (
    EAST_ASIAN,
    SCRIPTS,
    is_language,
    is_of_one_language,
    is_text,
)
from medmodel.language import N_

UTF_8 = "utf-8-sig"
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, the longer first."""
ENCODINGS = {
    "euc_jp": N_("Japanese (EUC-JP)"),
    "gb18030": N_("Chinese, simplified (GBK)"),
    "cp950": N_("Chinese, traditional (Big5)"),
    "cp932": N_("Japanese (Shift-JIS)"),
    "cp949": N_("Korean (EUC-KR)"),
    "cp1252": N_("Western (Windows)"),
    "cp1250": N_("Central European (Windows)"),
    "cp1251": N_("Cyrillic (Windows)"),
    "cp1253": N_("Greek (Windows)"),
    "cp1254": N_("Turkish (Windows)"),
    "cp1255": N_("Hebrew (Windows)"),
    "cp1256": N_("Arabic (Windows)"),
    "cp1257": N_("Baltic (Windows)"),
    "cp874": N_("Thai (Windows)"),
    "iso8859_2": N_("Central European (ISO 8859-2)"),
    "iso8859_7": N_("Greek (ISO 8859-7)"),
    "koi8_r": N_("Cyrillic (KOI8-R)"),
    "mac_roman": N_("Western (Macintosh)"),
}
"""Encoding -> what it is called, the first of two that give the same text first; those
of DOS are rare."""
_CELL_ENDS = (b"\r", b"\n", b",", b";", b"\t")
_CELL_END, _FOREIGN = re.compile(rb"[\r\n,;\t]"), re.compile(rb"[\x80-\xff]")
_MOST_CELLS = 20_000
_BY_FREQUENCY = {
    "CYRILLIC": "оаеинтсрвлкмдпуяыьгзбчйхжшюцщэфъіїєґўјљњћђџё",
    "GREEK": "αοιετσνηυρπκμλςωγδθχφβξζψίάόέήύώϊϋΐΰ",
    "HEBREW": "יוהלאתשרבממםנדחקפכעטגסןזצףךץ",
    "ARABIC": "اليمونرتبعدسفهكقحةأجشصطخثذزضىإغظءئآؤپچژگ",
    "THAI": "านรกงมยเลวอดทสตปะคหแจขใไชพบผถซธณฐฟภศญษโฝฉฎ",
}
"""Letters by how often they are met; marks of Thai are met as often as its letters."""
_RARE = {
    "koi8_r": 2.0,
    "mac_roman": 2.0,
    "iso8859_2": 2.0,
    "iso8859_7": 2.0,
    "euc_jp": 2.0,
}
"""How much less likely an encoding is, before anything was seen."""
_AMONG_LETTERS = re.compile(r"[a-z](?=[^\x00-\x7f])|[^\x00-\x7f](?=[a-z])")
"""A small letter beside a character beyond ASCII."""
_LOG_ASCII, _ODD = -3.5, 8.0
_CERTAIN = 6.0
"""How much likelier (natural logarithm) the best of several encodings has to be."""


def possible_encodings(content: bytes, names: Collection[str] = ()) -> list[str]:
    """Encodings that a text may have, the likeliest first; none if it is no text.

    Args:
        content: The text, or the beginning of it.
        names: As from `names_of`: what a file of the data set is called so is right.

    Returns:
        One where that is certain; else such as give different texts.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return [encoding]
    if b"\0" in content[:64]:
        return ["utf-16-be" if content[:1] == b"\0" else "utf-16-le"]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
        return [UTF_8]
    except UnicodeDecodeError:
        return _of_cells(_foreign_cells(content), names)


def decoded_cells(content: bytes) -> dict[str, list[str]]:
    """Cells beyond ASCII as decoded in every encoding that can be, likeliest first.

    Empty where the text says its encoding, or nothing is beyond ASCII.
    """
    likely = possible_encodings(content)
    if likely and likely[0] not in ENCODINGS:
        return {}
    texts = _decoded(_foreign_cells(content))
    return {
        encoding: texts[encoding]
        for encoding in dict.fromkeys([*likely, *texts])
        if encoding in texts
    }


def names_of(paths: Iterable[str]) -> set[str]:
    """Names of the files and folders on some paths, beyond ASCII."""
    names = {
        _stem(part) for path in paths if not path.isascii() for part in path.split("/")
    }
    return {name for name in names if not name.isascii()}


def _foreign_cells(content: bytes) -> list[bytes]:
    """Cells beyond ASCII, each once, without the last one, which may be cut.

    No letter in any of the encodings has a byte of `_CELL_ENDS`.
    """
    cells: dict[bytes, None] = {}
    end = 0
    while (found := _FOREIGN.search(content, end)) and len(cells) < _MOST_CELLS:
        start = max(content.rfind(each, end, found.start()) + 1 for each in _CELL_ENDS)
        ending = _CELL_END.search(content, found.start())
        if ending is None:
            return list(cells) or [content[max(start, end) :]]
        start, end = max(start, end), ending.start()
        cells[content[start:end]] = None
    return list(cells)


def likely_encodings(
    words: Mapping[str, Sequence[str]],
    known: Mapping[str, int] = {},
    odd: Mapping[str, int] = {},
) -> list[str]:
    """Those in which a text is as likely as in the likeliest, which comes first.

    Args:
        words: Encoding -> some words of the text as decoded in it.
        known: Encoding -> number of words that are names of files.
        odd: Encoding -> number of words that are words of no language.
    """
    most = max((known.get(encoding, 0) for encoding in words), default=0)
    scores = {
        encoding: _log_likelihood(texts, encoding) - _ODD * odd.get(encoding, 0)
        for encoding, texts in words.items()
        if known.get(encoding, 0) == most
    }
    best = max(scores.values(), default=0.0)
    likely = [e for e, score in scores.items() if score > best - _CERTAIN]
    return sorted(likely, key=lambda encoding: -scores[encoding])


def _of_cells(cells: Sequence[bytes], names: Collection[str]) -> list[str]:
    """Encodings in which most cells are words, and are called as files are."""
    texts = _decoded(cells)
    fitting = {
        encoding: sum(is_language([word], encoding) for word in words)
        for encoding, words in texts.items()
    }
    most = max(fitting.values(), default=0)
    texts = {e: words for e, words in texts.items() if most and 2 * fitting[e] >= most}
    known = {e: sum(_stem(w) in names for w in words) for e, words in texts.items()}
    odd = {encoding: most - fitting[encoding] for encoding in texts}
    return likely_encodings(texts, known, odd)


def _decoded(cells: Sequence[bytes]) -> dict[str, list[str]]:
    """The cells in each encoding in which all are text; none like one before it."""
    texts: dict[str, list[str]] = {}
    for encoding in ENCODINGS:
        try:
            words = [cell.decode(encoding) for cell in cells]
        except UnicodeDecodeError:
            continue
        if words not in texts.values() and all(map(is_text, words)):
            texts[encoding] = words
    return texts


def _log_likelihood(words: Sequence[str], encoding: str) -> float:
    """Logarithm of how likely a text is in a language of an encoding, roughly.

    Letters are met about as often as their place in a list by frequency is near its
    beginning (Zipf).
    """
    if encoding not in ENCODINGS:
        return 0.0
    asian, script = encoding in EAST_ASIAN, SCRIPTS.get(encoding, "LATIN")
    letters = "".join(c for word in words for c in word)
    total = sum(
        _log_asian(char, encoding) if asian else _log_letter(char, script)
        for char in letters
    )
    if asian:
        total -= 4.0 * sum(len(_AMONG_LETTERS.findall(word)) for word in words)
    else:
        # Names in capitals alone are rarer than others.
        total -= sum(
            not b.isascii() and a.isupper() and b.isupper()
            for a, b in zip(letters, letters[1:], strict=False)
        )
    if script == "LATIN" and not asian and not is_of_one_language(letters):
        total -= 3.0
    return total - _RARE.get(encoding, 0.0)


def _log_asian(char: str, encoding: str) -> float:
    if char.isascii():
        return _LOG_ASCII
    usual = character_usualness(char, encoding)
    if "\u3041" <= char <= "\u30fe":
        # So few that each is met often, if the language has them.
        usual = usual + 0.5 if encoding in ("cp932", "euc_jp") else 0.3
    if encoding == "cp949" and usual > 0.9:
        usual += 0.1
    return 6.0 * usual - 13.5


def _log_letter(char: str, script: str) -> float:
    if char.isascii():
        return _LOG_ASCII
    if char in "–’" or unicodedata.category(char) == "Mn":
        return _LOG_ASCII
    order = _BY_FREQUENCY.get(script, "")
    if not order:
        return _LOG_ASCII if char.isalpha() else -7.0
    place = order.find(char.lower())
    return -1.4 - math.log1p(place if place >= 0 else 2 * len(order))


def _stem(word: str) -> str:
    """The last part of a path without its suffix, in small letters."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", word).strip("\"' "))[-1]
    return re.sub(r"\.\w+$", "", name).casefold()
