"""Row on the estimate of time left, from a third of a run on, against the truth."""

from __future__ import annotations

import time

from medmodel.benchmark import Measurement, at_least
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import DataError
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

FACTOR = 1.5
FROM = 1 / 3
"""Share of a run's time from which on the estimate counts."""
SHORTEST = 2.0
"""Seconds left below which nobody reads the estimate."""
LOOK_EVERY = 0.5

Look = tuple[float, float | None]
"""(seconds since the start, seconds that were said to be left)."""


def time_left() -> list[Measurement]:
    """Share of ten runs whose estimate is right within the factor, all the time."""
    with temporary_workspace():
        sample = str(ensure_sample_dataset())
        shares = [share_right(watched(config)) for config in _configs(sample)]
    right = sum(share >= 0.95 for share in shares) / len(shares)
    note = "share of looks that are right: " + ", ".join(f"{s:.2f}" for s in shares)
    return [at_least("time_left", right, 0.8, "of runs", note)]


def _configs(sample: str) -> list[TrainConfig]:
    """Ten runs of three recipes, without early stopping, whose end nobody knows."""
    instant = [config_for("instant", sample, seed=seed) for seed in range(4)]
    small = {"size": 64, "patience": 0}
    compact = [
        config_for("compact", sample, epochs=epochs, **small) for epochs in (5, 10, 20)
    ]
    textbook = [
        config_for("document", sample, epochs=epochs, size=64) for epochs in (4, 8, 12)
    ]
    return [*instant, *compact, *textbook]


def watched(config: TrainConfig) -> list[Look]:
    """What a run said until its end.

    Raises:
        DataError: It did not end well.
    """
    store = RunStore()
    run = queue.submit(config, store)
    looks: list[Look] = []
    while (status := run.status).state.active:
        queue.ensure_worker(store)
        if status.state is RunStatus.RUNNING:
            looks.append((time.time() - status.started, status.seconds_left))
        time.sleep(LOOK_EVERY)
    if status.state is not RunStatus.DONE:
        raise DataError(f"The run ended as {status.state.value}: {status.failure}")
    return [*looks, (status.ended - status.started, 0.0)]


def share_right(looks: list[Look]) -> float:
    """Share of the looks after a third whose estimate is within the factor.

    Args:
        looks: In order; the last is the end.
    """
    end = looks[-1][0]
    counted = [
        (end - at, left)
        for at, left in looks
        if at >= FROM * end and end - at >= SHORTEST
    ]
    if not counted:
        return 1.0
    right = [
        left is not None and truth / FACTOR <= left <= truth * FACTOR
        for truth, left in counted
    ]
    return sum(right) / len(right)
