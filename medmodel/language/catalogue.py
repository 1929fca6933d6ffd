"""The translations: one file of gettext's PO format for each language."""

from __future__ import annotations

import gettext
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

SOURCE = "en"
"""The language in which the texts stand in the source."""
FOLDER = Path(__file__).resolve().parent
_reading = threading.Lock()


@dataclass(frozen=True)
class Catalogue:
    """What one language says.

    Args:
        texts: English text -> its translation, in each form of the plural; of a text
            with a plural both English forms are keys.
        plural: Number -> which form of the plural it takes.
    """

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plural: Callable[[int], int] = lambda count: 0


def _languages() -> dict[str, str]:
    """Language -> its own name, as its file says in the header X-Language-Name."""
    names = {SOURCE: "English"}
    for path in sorted(FOLDER.glob("*.po")):
        with path.open(encoding="utf-8") as file:
            headers = (x for x in file if x.startswith('"X-Language-Name:'))
            name = next(headers, f'"X-Language-Name: {path.stem}"')
        names[path.stem] = name.partition(":")[2].strip().strip('"').removesuffix("\\n")
    return names


LANGUAGES: Mapping[str, str] = MappingProxyType(
    {language: name.strip() for language, name in _languages().items()}
)
"""Language -> its name in itself, such as "zh_CN" -> "简体中文"."""


def catalogue(language: str) -> Catalogue:
    """The translations into one language; none for English or an unknown one."""
    if language == SOURCE or language not in LANGUAGES:
        return Catalogue()
    with _reading:  # Two sessions that start at once read it once.
        return _read(language)


@cache
def _read(language: str) -> Catalogue:
    # A fifth of a second, for those alone who speak another language.
    from babel.messages.pofile import read_po

    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    texts: dict[str, tuple[str, ...]] = {}
    for message in messages:
        english, said = _forms(message.id), _forms(message.string)
        if any(english) and all(said) and not message.fuzzy:
            texts.update(dict.fromkeys(english, said))
    return Catalogue(texts, gettext.c2py(messages.plural_expr))


def _forms(text: Any) -> tuple[str, ...]:
    """A message's text in each form of the plural; most have one."""
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)
