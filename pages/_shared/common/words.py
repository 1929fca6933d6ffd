"""Numbers, times and names as text for people."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping

from medmodel.runs.status import RunStatus

STATE_TITLES = {
    RunStatus.QUEUED: "Waiting",
    RunStatus.RUNNING: "Training",
    RunStatus.DONE: "Done",
    RunStatus.STOPPED: "Stopped",
    RunStatus.FAILED: "Failed",
    RunStatus.INTERRUPTED: "Interrupted",
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
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def ago(moment: float) -> str:
    """How long ago a moment (seconds since 1970) was: `3 min ago`."""
    passed = max(time.time() - moment, 0)
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{int(passed // 60)} min ago"
    if passed < 86400:
        return f"{int(passed // 3600)} h ago"
    return time.strftime("%d %b %Y", time.localtime(moment))


def bytes_text(count: float) -> str:
    """A number of bytes: `12 MB`, `3.4 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
