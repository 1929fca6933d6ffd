"""Every text that a user can see goes through gettext, and every language says it."""

from __future__ import annotations

import string

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from medmodel.language import LANGUAGES, SOURCE
from medmodel.language.catalogue import FOLDER

TRANSLATED = [language for language in LANGUAGES if language != SOURCE]


def read(language: str) -> Catalog:
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def values(text: str) -> set[tuple[str, str]]:
    """Names and formats of the values in a text."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:  # a text without values may hold a single brace
        return set()
    return {(name, spec or "") for _text, name, spec, _how in parts if name is not None}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_values_of_its_text(language: str) -> None:
    for message in read(language):
        if not message.id:
            continue
        english = (message.id,) if isinstance(message.id, str) else message.id
        said = (message.string,) if isinstance(message.string, str) else message.string
        wanted = set.union(*map(values, english))
        for text in filter(None, said or ()):
            assert values(text) == wanted, english
