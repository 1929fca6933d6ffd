"""Job: long work reports its progress to it and asks it whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medmodel.core.errors import Cancelled
from medmodel.language import _

Progress = Callable[[str, int, int], None]
"""Told how far long work is: (phase, finished units, all units; 0 = unknown)."""


def _ignore(phase: str, done: int, total: int) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Job:
    """Whom long work reports to; by default nobody, and it goes on to its end.

    Args:
        progress: Called with (phase, finished units, all units; 0 = unknown).
        cancelled: Whether the work shall end; asked several times a second.
    """

    progress: Progress = _ignore
    cancelled: Callable[[], bool] = _never

    def check(self) -> None:
        """To be called between units of work.

        Raises:
            Cancelled: The work shall end.
        """
        if self.cancelled():
            raise Cancelled(_("The work was given up on request."))


UNATTENDED = Job()
