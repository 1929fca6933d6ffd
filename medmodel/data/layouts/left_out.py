"""Sentences on what a data set leaves out: how many files, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from medmodel.data.layouts.listing import NOT_AN_IMAGE
from medmodel.language import _, join_sentences, ngettext, translate

_COUNTS_AS = "counts as class "
_TWICE = "named twice in "
_ORDINARY = {"hidden", NOT_AN_IMAGE}
"""Reasons that need no attention."""


def left_out(ignored: Iterable[tuple[str, str]]) -> str:
    """What was left out and how classes were merged, in sentences; "" if nothing was.

    The commonest reasons first, each with its first file; hidden files and files that
    are no images are only counted, beside others.
    """
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    merged = []
    for path, reason in ignored:
        if reason.startswith(_COUNTS_AS):
            full_stop = _(".")
            merged.append(f"{path!r} {translate(reason)}{full_stop}")
        else:
            first.setdefault(reason, path)
            counts[reason] += 1
    noted = [
        _left_out_part(counts.pop(reason), first[reason], translate(reason))
        for reason in list(counts)
        if not is_left_out(reason)
    ][:3]
    ordinary = sum(counts.pop(reason, 0) for reason in _ORDINARY)
    parts = [
        _left_out_part(n, first[reason], translate(reason))
        for reason, n in counts.most_common(3)
    ]
    rest = counts.total() - sum(n for _reason, n in counts.most_common(3))
    if rest:
        parts.append(
            ngettext(
                "{count:,} file for other reasons",
                "{count:,} files for other reasons",
                rest,
            )
        )
    if ordinary and parts:
        parts.append(
            ngettext(
                "hidden or no images: {count:,} file",
                "hidden or no images: {count:,} files",
                ordinary,
            )
        )
    sentences = [_("Left out: {parts}.", parts=_("; ").join(parts))] if parts else []
    if noted:
        sentences.append(_("Note: {parts}.", parts=_("; ").join(noted)))
    return join_sentences(sentences + merged[:3])


def is_left_out(reason: str) -> bool:
    """Whether it is why something is left out; else it is a remark on what is used."""
    return not reason.startswith((_COUNTS_AS, _TWICE))


def _left_out_part(count: int, first: str, reason: str) -> str:
    if count == 1:
        return _("{file} ({reason})", file=first, reason=reason)
    return _(
        "{count:,} files, first {file} ({reason})",
        count=count,
        file=first,
        reason=reason,
    )
