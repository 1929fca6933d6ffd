"""Numbers, times and names as text for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from medmodel.language import N_
from medmodel.language.quantities import ago, bytes_text, duration, rounded
from medmodel.runs.status import RunStatus

__all__ = [
    "STATE_TITLES",
    "ago",
    "bytes_text",
    "disambiguate",
    "duration",
    "plain",
    "rounded",
]

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
