"""`_`, `ngettext` and `N_`, as gettext names them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from medmodel.language.catalogue import SOURCE, translations
from medmodel.language.numbers import SentenceFormatter
from medmodel.language.present import present_language, speaking

_FORMATTER = SentenceFormatter()
_log = logging.getLogger(__name__)


def _(text: str, /, **values: Any) -> str:
    """A text in the present language.

    Args:
        text: The text in English, a literal: the list of all texts is read from the
            source. `{name}` or `{name:,}` stands for a value; where there are values,
            a brace is written twice.
        values: Name -> value.
    """
    forms = translations(present_language()).texts.get(text)
    return _filled(text, forms[0] if forms else text, values)


def ngettext(one: str, several: str, count: int, /, **values: Any) -> str:
    """A text that depends on a number, in the present language.

    Args:
        one: The text in English for 1.
        several: For all other numbers.
        count: The number; its name in the texts is `count`.
        values: More values.
    """
    english = one if count == 1 else several
    language = translations(present_language())
    forms = language.texts.get(several)
    text = forms[language.plural(count) % len(forms)] if forms else english
    return _filled(english, text, {"count": count, **values})


def N_(text: str) -> str:
    """Marks a text that `_` says later, such as a constant; gives it back as it is."""
    return text


def _filled(english: str, text: str, values: Mapping[str, Any]) -> str:
    if not values:
        return text
    try:
        return _FORMATTER.vformat(text, (), values)
    except (KeyError, ValueError, IndexError):
        if text == english:
            raise
    # A mistake in a translation must not cost a page.
    _log.error("A translation does not fit its text: %s", english)
    with speaking(SOURCE):
        return _FORMATTER.vformat(english, (), values)
