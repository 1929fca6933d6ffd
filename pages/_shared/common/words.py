"""Numbers, times and names as text for people."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date

from medmodel.language import N_, _, format_date, format_number
from medmodel.runs.status import RunStatus

STATE_TITLES = {
    RunStatus.QUEUED: N_("Waiting"),
    RunStatus.RUNNING: N_("Training"),
    RunStatus.DONE: N_("Done"),
    RunStatus.STOPPED: N_("Stopped"),
    RunStatus.FAILED: N_("Failed"),
    RunStatus.INTERRUPTED: N_("Interrupted"),
}


# Where the GitHub Flavored Markdown of Streamlit's pages finds an address in bare text,
# after escapes were resolved: behind http: or www, and in front of an e-mail's @.
_ADDRESS = re.compile(r"(?<=http:)(?=//)|(?<=https:)(?=//)|(?<=www)(?=\.)|(?=@)", re.I)
_WORD_JOINER = "\N{WORD JOINER}"


def plain(text: object) -> str:
    """Text that Streamlit shows as it is: no Markdown is read in it, and no address.

    An address is parted by a character without width, so that no link is made of it.
    """
    parted = _ADDRESS.sub(_WORD_JOINER, str(text))
    escaped = re.sub(r"([\\`*_{}\[\]()#+\-.!|~<>$:&^])", r"\\\1", parted)
    return " ".join(escaped.splitlines())


def disambiguate(
    titles: Mapping[str, str], more: Callable[[str], str]
) -> dict[str, str]:
    """The titles of a select box's options, those that would look alike with more.

    A select box knows its options by what it shows: of two that look alike, nobody
    could ever choose the first.

    Args:
        titles: Option -> title.
        more: What tells an option from its namesakes.
    """
    count = Counter(titles.values())
    return {
        option: f"{title} ({more(option)})" if count[title] > 1 else title
        for option, title in titles.items()
    }


def duration(seconds: float) -> str:
    """A length of time: `0.4 s`, `12 s`, `2 min 10 s`, `1 h 5 min`."""
    if 0 < seconds < 1:
        return _("{seconds:.1f} s", seconds=seconds)
    whole = round(seconds)
    if whole < 60:
        return _("{seconds} s", seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        if not rest:
            return _("{minutes} min", minutes=minutes)
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    if not minutes:
        return _("{hours} h", hours=hours)
    return _("{hours} h {minutes} min", hours=hours, minutes=minutes)


def ago(moment: float) -> str:
    """How long ago a moment (seconds since 1970) was: `3 min ago`."""
    passed = max(time.time() - moment, 0)
    if passed < 60:
        return _("just now")
    if passed < 3600:
        return _("{minutes} min ago", minutes=int(passed // 60))
    if passed < 86400:
        return _("{hours} h ago", hours=int(passed // 3600))
    return format_date(date.fromtimestamp(moment))


def bytes_text(count: float) -> str:
    """A number of bytes: `12 MB`, `3.4 GB`."""
    if count < 1000:
        return _("{count:.0f} bytes", count=count)
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{format_number(count, '.0f')} {unit}"
    return f"{format_number(count / 1000, '.1f')} GB"
