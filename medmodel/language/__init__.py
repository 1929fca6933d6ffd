"""Texts in the user's language: gettext with names for the values in a sentence.

    from medmodel.language import _, N_, ngettext

    _("Trained on {dataset} for {seconds:.0f} s.", dataset=name, seconds=4)
    ngettext("{count:,} image", "{count:,} images", count)
    TITLES = {"done": N_("Done")}  # marked here, said by _(TITLES["done"]) where shown

Texts are written in English. The translations lie beside this file, one file for each
language: `zh_Hans.po`. Which language it is, the thread decides: a page speaks its
session's, see `language_from`; everything else (workers, background work, logs, files)
speaks English, unless it is told by `speaking`. What was kept in English, such as why
a run failed, `translate` says again in the language of the page.
"""

from __future__ import annotations

from medmodel.language.catalogue import LANGUAGES, SOURCE, language_name
from medmodel.language.gettext import N_, _, ngettext
from medmodel.language.numbers import format_date, format_number, format_utc
from medmodel.language.present import language_from, present_language, speaking
from medmodel.language.stored import join_sentences, translate

__all__ = [
    "LANGUAGES",
    "N_",
    "SOURCE",
    "_",
    "format_date",
    "format_number",
    "join_sentences",
    "format_utc",
    "language_from",
    "language_name",
    "ngettext",
    "present_language",
    "speaking",
    "translate",
]
