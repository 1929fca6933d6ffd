"""The glossary on pages: one list for them and for docs/glossary.md."""

from __future__ import annotations

import re
from functools import lru_cache

from medmodel.core.environment import REPOSITORY
from pages._shared.common.words import plain

_ROW = re.compile(r"^\| (?P<terms>[^|]+) \| (?P<meaning>[^|]+) \| `[^|]+` \|$", re.M)


@lru_cache
def glossary() -> dict[str, str]:
    """Term, as docs/glossary.md writes it -> what it means."""
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    return {row["terms"].strip(): row["meaning"].strip() for row in _ROW.finditer(text)}


def meaning(term: str) -> str:
    """The entry of a term as the help of whatever shows it.

    Args:
        term: As docs/glossary.md writes it, for instance `sensitivity (recall),
            specificity`.

    Raises:
        KeyError: The glossary has no such term.
    """
    said = glossary()[term].replace("*", "").replace("`", "")
    return plain(f"{term[0].upper()}{term[1:]}: {said}.")
