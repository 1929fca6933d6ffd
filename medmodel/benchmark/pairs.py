"""Two things measured in turns, as A B A B …, since machines are never quiet.

Two single measurements of the same thing differ by up to 1.8 times from one minute to
the next; those of a pair meet the same noise, and their ratio hardly moves.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAIRS = 5
"""As few as show a spread."""

Measured = Callable[[], float]
"""Does something once; returns seconds, or images per second."""


@dataclass(frozen=True)
class PairedRatio:
    """Ratios of pairs, each measured side by side.

    Args:
        first: What was measured of the first, in its own unit, one for each pair.
        second: The same of the second.
    """

    first: Sequence[float]
    second: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """First / second of each pair."""
        return [a / b for a, b in zip(self.first, self.second, strict=True)]

    @property
    def median(self) -> float:
        """The middle of the ratios, which one slow moment does not move."""
        return statistics.median(self.ratios)

    def note(self, unit: str, scale: float = 1.0) -> str:
        """Both medians, the number of pairs and their spread, in words.

        Args:
            unit: What both were measured in.
            scale: What they are multiplied by before they are shown.
        """
        first, second = (
            statistics.median(x) * scale for x in (self.first, self.second)
        )
        return (
            f"{first:,.4g} {unit} / {second:,.4g} {unit}, medians of {len(self.first)} "
            f"pairs, ratios {min(self.ratios):.2f} to {max(self.ratios):.2f}"
        )


def paired(
    first: Measured, second: Measured, pairs: int = PAIRS, warm_up: int = 1
) -> PairedRatio:
    """Measures both in turns.

    Args:
        first: What is judged.
        second: What it is compared with.
        pairs: How many count.
        warm_up: How many more go before them, which fill caches and build graphs.
    """
    measured = [(first(), second()) for _ in range(warm_up + pairs)][warm_up:]
    return PairedRatio(*zip(*measured, strict=True))


def seconds_of(action: Callable[[], object]) -> Measured:
    """Seconds that an action takes by the clock on the wall."""

    def timed() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    return timed
