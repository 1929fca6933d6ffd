"""Two languages of the tests: one with an ending for every number, one with none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.language import catalogue, numbers, present, stored

HEADER = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plural}\\n"
"""
GERMAN = """
msgid "Start"
msgstr "Anfang"

msgid "{share:.1%} of {name}"
msgstr "Von {name}: {share:.1%}"

msgid "{count:,} image"
msgid_plural "{count:,} images"
msgstr[0] "{count:,} Bild"
msgstr[1] "{count:,} Bilder"

msgid "The file {file} cannot be read: {reason}"
msgstr "Die Datei {file} ist nicht lesbar: {reason}"

msgid "it is empty or cut short"
msgstr "sie ist leer oder abgeschnitten"

msgid "{file} is empty."
msgstr "{file} ist leer."

msgid "Choose another."
msgstr "Wähle eine andere."

msgid "Normal"
msgstr "Gewöhnlich"

msgid "{a} stays with {a}"
msgstr "{a} bleibt bei {a}"

msgid "Wrong {name}"
msgstr "Falsch {nahme}"

msgid "Not yet"
msgstr ""

#, fuzzy
msgid "Guessed"
msgstr "Geraten"
"""
POLISH = """
msgid "{count} file"
msgid_plural "{count} files"
msgstr[0] "{count} plik"
msgstr[1] "{count} pliki"
msgstr[2] "{count} plików"
"""


@pytest.fixture
def languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """German and Polish are there, with the texts above."""
    few = "n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20)"
    for name, plural, texts in (
        ("de", "nplurals=2; plural=(n != 1);", GERMAN),
        ("pl", f"nplurals=3; plural=(n==1 ? 0 : {few} ? 1 : 2);", POLISH),
    ):
        text = HEADER.format(plural=plural) + texts
        (tmp_path / f"{name}.po").write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    for module in (catalogue, present):
        monkeypatch.setattr(module, "LANGUAGES", ("en", "de", "pl"))
    kept = (catalogue._read, stored._translated, stored._patterns, numbers._signs)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()
