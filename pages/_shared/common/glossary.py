"""The glossary on pages: one list for them and for docs/glossary.md."""

from __future__ import annotations

import re
from functools import lru_cache

from medmodel.core.environment import REPOSITORY
from medmodel.language import N_, _
from pages._shared.common.words import plain

_ROW = re.compile(r"^\| (?P<terms>[^|]+) \| (?P<meaning>[^|]+) \| `[^|]+` \|$", re.M)


TRANSLATED = {
    N_("window"): N_(
        "the range of measured values, in CT of Hounsfield units, that is spread over "
        "all grey levels; given by its centre and its width"
    ),
    N_("redaction"): N_("parts of an image made black, where text is burned in"),
    N_("de-identification"): N_(
        "a copy of a DICOM file without what tells whom it shows (DICOM PS3.15, annex "
        "E)"
    ),
    N_("leakage"): N_(
        "a patient or an image on both sides of a split, so that the test is no test"
    ),
    N_("split"): N_(
        "the part of the images that a model learns from (train), that every choice is "
        "made on (val, validation), or that is only reported (test)"
    ),
}
"""The entries that pages show, as the document has them: no catalogue reads it."""


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
    name, text = _(term), _(glossary()[term])
    text = text.replace("*", "").replace("`", "")
    name = name[0].upper() + name[1:]
    return plain(_("{term}: {meaning}.", term=name, meaning=text))
