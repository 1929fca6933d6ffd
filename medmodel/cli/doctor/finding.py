"""What a look at the machine says: how it is, and the line that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: What was looked at: python, packages, tensorflow, gpu, memory, disk,
            workspace, data, fonts, port, hosts, proxy.
        level: "problem" where something will not work, "warning" where it may not.
        sentence: How it is.
        mend: The line that mends it, for a terminal or a file of settings; "" where
            nothing needs mending.
    """

    subject: str
    level: Level
    sentence: str
    mend: str = ""
