"""The translations: one file of gettext's PO format for each language."""

from __future__ import annotations

import gettext
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = "en"
"""The language in which the texts stand in the source."""
FOLDER = Path(__file__).resolve().parent
_reading = threading.Lock()


@dataclass(frozen=True)
class Translations:
    """What one language says.

    Args:
        texts: English text -> its translation, in each form of the plural; of a text
            with a plural both English forms are keys.
        plural: Number -> which form of the plural it takes.
    """

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plural: Callable[[int], int] = lambda count: 0


LANGUAGES = (SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po")))
"""The languages that there are, by Unicode's names, such as `zh_Hans`."""


def language_name(language: str) -> str:
    """What a language calls itself, such as "简体中文"."""
    from babel import Locale

    names = Locale.parse(language).languages
    return str(names.get(language, language))


def translations(language: str) -> Translations:
    """The translations into one language; none for English or an unknown one."""
    if language == SOURCE or language not in LANGUAGES:
        return Translations()
    with _reading:  # Two sessions that start at once read it once.
        return _read(language)


@cache
def _read(language: str) -> Translations:
    # A fifth of a second, for those alone who speak another language.
    from babel.messages.pofile import read_po

    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    texts: dict[str, tuple[str, ...]] = {}
    for message in messages:
        english, said = _forms(message.id), _forms(message.string)
        if any(english) and all(said) and not message.fuzzy:
            texts.update(dict.fromkeys(english, said))
    return Translations(texts, gettext.c2py(messages.plural_expr))


def _forms(text: Any) -> tuple[str, ...]:
    """A message's text in each form of the plural; most have one."""
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)
