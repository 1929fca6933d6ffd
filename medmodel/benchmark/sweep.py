"""Row on sweeps: what a trial takes beside the same run alone."""

from __future__ import annotations

import statistics
import time

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import TrainConfig, config_for
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.runs import queue
from medmodel.runs.run import Run, RunStore
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import start_sweep

LONGEST_SECONDS = 900.0
LOOK_SECONDS = 0.2
ROUNDS = 2
"""Of each kind, in turn."""


def sweep_overhead() -> list[Measurement]:
    """Median seconds of trials with one setting / of the same run by itself."""
    with temporary_workspace():
        folder = ensure_sample_dataset()
        config = config_for("compact", str(folder), epochs=8, size=32)
        _alone(config)  # pixels are prepared, precision is chosen
        alone, trials = [], []
        for _round in range(ROUNDS):
            alone.append(_alone(config))
            trials.append(_as_trial(config))
        ratio = statistics.median(trials) / statistics.median(alone)
        seconds = [" ".join(f"{s:.1f}" for s in times) for times in (trials, alone)]
        note = f"{seconds[0]} s / {seconds[1]} s"
    return [at_most("sweep_overhead", ratio, 1.1, note=note)]


def _alone(config: TrainConfig) -> float:
    store = RunStore()
    return _seconds(queue.submit(config, store), store)


def _as_trial(config: TrainConfig) -> float:
    rates = Dimension((config.learning_rate,))
    sweep = start_sweep(SweepConfig(config, {"learning_rate": rates}, trials=1))
    deadline = time.monotonic() + LONGEST_SECONDS
    while not sweep.results.trials and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    store = RunStore()
    return _seconds(store.get(sweep.results.trials[0].run), store)


def _seconds(run: Run, store: RunStore) -> float:
    """From the run's start to its end."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while run.status.state.active and time.monotonic() < deadline:
        queue.ensure_worker(store)
        time.sleep(LOOK_SECONDS)
    status = run.status
    return status.ended - status.started
