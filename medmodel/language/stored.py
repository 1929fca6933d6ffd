"""Sentences that were kept in English, said in the present language.

A worker says why its run failed, an index why a file cannot be read: in English, since
nobody knows who will read it. The values that stand in such a sentence are found again
by the text that it was made from.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from itertools import chain, zip_longest

from medmodel.language.catalogue import SOURCE, translations
from medmodel.language.gettext import N_
from medmodel.language.present import present_language

_SENTENCE_END = re.compile(r"(?<=[.!?]) +")
_SIGNS = (N_(", "), N_(" and "), N_("; "))
_BETWEEN = re.compile(f"({'|'.join(_SIGNS)})")
"""What stands between the texts of a list."""
_INDEXED = 8
"""Characters at the beginning of a text by which it is looked up."""
_LEAST = 5
"""Characters beside its values that a text has at least: "{a} of {b}" is in any."""


def translate(sentence: str) -> str:
    """A sentence that was made in English, in the present language.

    Args:
        sentence: One sentence or several of those that the product says, with any
            values. What is none of them comes back as it is.
    """
    language = present_language()
    return sentence if language == SOURCE else _translated(sentence, language)


@lru_cache(maxsize=4096)
def _translated(sentence: str, language: str) -> str:
    whole = _one(sentence, language)
    if whole is not None:
        return whole
    parts = _SENTENCE_END.split(sentence)
    if len(parts) == 1:
        return sentence
    said = [_one(part, language) or part for part in parts]
    return join_sentences(said)


def join_sentences(sentences: Iterable[str]) -> str:
    """Sentences one after the other; empty ones are left out.

    Chinese has no blank between them: its full stop is as wide as one.
    """
    text = ""
    for sentence in filter(None, sentences):
        text += " " if text and not text.endswith(("。", "！", "？")) else ""
        text += sentence
    return text


def _one(sentence: str, language: str) -> str | None:
    """The translation of one text of the catalogue with its values; None if none."""
    texts = translations(language).texts
    if sentence in texts:
        return texts[sentence][0]
    patterns = _patterns(language)
    for english, pattern in (*patterns.get(sentence[:_INDEXED], ()), *patterns[""]):
        if match := pattern.fullmatch(sentence):
            values = match.groupdict()
            return _filled(_form(english, values, language), values, language)
    return None


def _form(english: str, values: Mapping[str, str], language: str) -> str:
    """The translation in the form that the number takes, if there is one."""
    known = translations(language)
    forms, count = known.texts[english], values.get("count", "").replace(",", "")
    return forms[known.plural(int(count)) % len(forms) if count.isdecimal() else 0]


def _filled(text: str, values: Mapping[str, str], language: str) -> str:
    """A translation with values that are text already; a reason among them is said."""
    parts = []
    for literal, name, _spec, _conversion in string.Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            value = values.get(name, "")
            # A reason within a sentence is a text of its own; a class may have the
            # name of a button.
            parts.append(
                _list(value, language) or _one(value, language) or value
                if " " in value or name.endswith("_word")
                else value
            )
    return "".join(parts)


def _list(value: str, language: str) -> str | None:
    """A list of texts, each of several words, with the signs between; None if none.

    A single text that begins and ends as they do would take the others for its values.
    """
    said = translations(language).texts
    texts, signs = _BETWEEN.split(value)[::2], _BETWEEN.findall(value)
    items = [_one(text, language) for text in texts if " " in text]
    if not signs or len(items) < len(texts) or None in items:
        return None
    signs = [said.get(sign, (sign,))[0] for sign in signs]
    return "".join(chain(*zip_longest(filter(None, items), signs, fillvalue="")))


@cache
def _patterns(language: str) -> Mapping[str, list[tuple[str, re.Pattern[str]]]]:
    """Beginning of a text -> the texts with values that begin so, as expressions.

    Under "" stand those in which a value comes first. The longest come first, as they
    say most.
    """
    patterns: dict[str, list[tuple[str, re.Pattern[str]]]] = defaultdict(list)
    for english in sorted(translations(language).texts, key=len, reverse=True):
        parts = list(string.Formatter().parse(english))
        letters = sum(len(literal.strip()) for literal, *_ in parts)
        if letters >= _LEAST and any(name is not None for _, name, *_ in parts):
            first = parts[0][0]
            start = first[:_INDEXED] if len(first) >= _INDEXED else ""
            patterns[start].append((english, _expression(parts)))
    patterns.setdefault("", [])
    return dict(patterns)


def _expression(
    parts: list[tuple[str, str | None, str | None, str | None]],
) -> re.Pattern[str]:
    names: set[str] = set()
    expression = ""
    for literal, name, _spec, _conversion in parts:
        expression += re.escape(literal)
        if name is not None:
            expression += f"(?P={name})" if name in names else f"(?P<{name}>.+?)"
            names.add(name)
    return re.compile(expression, re.DOTALL)
