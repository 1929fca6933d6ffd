"""One configuration trained with several seeds: how much of a result is luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medmodel.catalogue import Entry
from medmodel.config import TrainConfig
from medmodel.overview import differing_settings

MOST = 20
"""Repeats that are asked for at a time."""


@dataclass(frozen=True)
class Spread:
    """A number that was measured several times.

    Args:
        mean: Its mean.
        deviation: Standard deviation of one measurement; not-a-number below two.
        low: The smallest.
        high: The largest.
        count: How many.
    """

    mean: float
    deviation: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """As people read it."""
        return (
            f"{self.mean:.3f} on average, {self.low:.3f} to {self.high:.3f} "
            f"(standard deviation {self.deviation:.3f}, {self.count} runs)"
        )


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and range of at least one value."""
    count = len(values)
    mean = math.fsum(values) / count
    squares = math.fsum((value - mean) ** 2 for value in values)
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    return Spread(mean, deviation, min(values), max(values), count)


def siblings(entry: Entry, others: Iterable[Entry]) -> list[Entry]:
    """The runs whose settings are this one's but for the seed, itself included."""
    return [
        other
        for other in others
        if set(differing_settings([entry.config, other.config])) <= {"seed"}
    ]


def with_other_seeds(
    config: TrainConfig, taken: Iterable[int], count: int
) -> list[TrainConfig]:
    """The same configuration with seeds that were not used yet, smallest first.

    Args:
        config: What is repeated.
        taken: Seeds that its runs have.
        count: How many, at most `MOST`.
    """
    found: list[TrainConfig] = []
    used, seed = set(taken), 0
    title = config.name.partition(", seed ")[0]
    while len(found) < min(count, MOST):
        if seed not in used:
            name = f"{title}, seed {seed}" if title else ""
            found.append(replace(config, seed=seed, name=name))
        seed += 1
    return found
