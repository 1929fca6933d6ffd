"""Which language is spoken: the session's, or one that a block of code asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from medmodel.language.catalogue import LANGUAGES, SOURCE

_asked_for: ContextVar[str | None] = ContextVar("language", default=None)
_source: Callable[[], str] = lambda: SOURCE  # noqa: E731


def language_from(source: Callable[[], str]) -> None:
    """Sets who says what language the present thread speaks.

    Args:
        source: Called for every text; gives one of `LANGUAGES`. The pages give the
            language of the session for which they are drawn.
    """
    global _source
    _source = source


def present_language() -> str:
    """The language in which `_` speaks here and now."""
    language = _asked_for.get() or _source()
    return language if language in LANGUAGES else SOURCE


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within it this thread speaks one language.

    What is kept for several sessions, or written to a file, is made in English:
    `with speaking(SOURCE)`.

    Args:
        language: One of `LANGUAGES`.
    """
    before = _asked_for.set(language)
    try:
        yield
    finally:
        _asked_for.reset(before)
