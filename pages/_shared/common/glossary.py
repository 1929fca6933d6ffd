"""The glossary on pages: one list for them and for docs/glossary.md."""

from __future__ import annotations

import re
from functools import lru_cache

from medmodel.core.environment import REPOSITORY
from medmodel.language import _
from medmodel.reports.glossary import entry
from pages._shared.common.words import plain

_ROW = re.compile(r"^\| (?P<terms>[^|]+) \| (?P<meaning>[^|]+) \| `[^|]+` \|$", re.M)


@lru_cache
def glossary() -> dict[str, str]:
    """Term, as docs/glossary.md writes it -> what it means."""
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    return {row["terms"].strip(): row["meaning"].strip() for row in _ROW.finditer(text)}


def meaning(*terms: str) -> str:
    """The entries of terms, a paragraph each, as the help of whatever shows them.

    Args:
        *terms: As docs/glossary.md writes them, for instance `sensitivity (recall)`.

    Raises:
        KeyError: The glossary has no such term.
    """
    shown = [entry(term, glossary()[term]) for term in terms]
    return "\n\n".join(
        plain(_("{term}: {meaning}.", term=each.term, meaning=each.meaning))
        for each in shown
    )
