"""Patients in file names, by a pattern that a person wrote, tried within a time limit.

Python's regular expressions go back and try again: `(a+)+$` on thirty letters takes
minutes, in which nothing else in the process moves. So a pattern that somebody typed
is tried in the sandbox, whose children can be ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from medmodel.core import samples
from medmodel.core.errors import ConfigError, ImageError
from medmodel.core.processes import sandbox
from medmodel.language import _

SECONDS = 5
"""Processor time for all paths of a data set; 300,000 take about a second."""
PATIENCE = 24
"""How many times as much wall time is waited for it: no run is to fail of a machine
that is busy."""


def patients_of(paths: Iterable[str], pattern: str) -> list[str]:
    """The patient of each relative path: first group of the pattern, or whole match.

    Returns:
        One entry per path; "" where the pattern is empty or does not match.

    Raises:
        ConfigError: The pattern is not a regular expression, or takes too long.
    """
    names = [samples.file_of(path) for path in paths]
    if not pattern:
        return [""] * len(names)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        message = _("Not a regular expression: {reason}.", reason=error)
        raise ConfigError("patient_pattern", message) from error
    if not names:
        return []
    data = json.dumps(names).encode()
    try:
        answer = sandbox.ask(
            f"{__name__}:answer", data, "pattern", SECONDS, PATIENCE, pattern=pattern
        )
    except sandbox.MachineBusyError as error:
        message = untried(len(names), PATIENCE * SECONDS)
        raise ConfigError("patient_pattern", message) from error
    except ImageError as error:
        message = endless(len(names), SECONDS)
        raise ConfigError("patient_pattern", message) from error
    patients: list[str] = answer["patients"]
    return patients


def untried(names: int, seconds: int) -> str:
    """Why a pattern has no answer: the machine was busy for so long."""
    return _(
        "This pattern was not tried on {count:,} file names within {seconds} "
        "seconds, as the machine is busy. Try again.",
        count=names,
        seconds=seconds,
    )


def endless(names: int, seconds: int) -> str:
    """Why a pattern has no answer: it goes back and tries again for so long."""
    return _(
        "This pattern cannot be tried on {count:,} file names within "
        "{seconds} seconds. Repetitions inside a repetition, as in (a+)+, "
        "take for ever: write it more simply.",
        count=names,
        seconds=seconds,
    )


def search(names: Sequence[str], pattern: str) -> list[str]:
    """As `patients_of`, in this process: for patterns that are known to be quick."""
    matches = map(re.compile(pattern).search, names)
    return [
        next((g for g in match.groups() if g), "" if match.re.groups else match[0])
        if match
        else ""
        for match in matches
    ]


def answer(data: bytes, name: str, pattern: str) -> dict[str, Any]:
    """What the sandbox runs: `search` on a JSON list of names."""
    return {"patients": search(json.loads(data), pattern)}
