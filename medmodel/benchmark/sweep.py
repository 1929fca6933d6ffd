"""Row on sweeps: what a trial takes beside the same run alone."""

from __future__ import annotations

import time

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.pairs import paired
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import TrainConfig, config_for
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import start_sweep

LONGEST_SECONDS = 900.0
LOOK_SECONDS = 0.2


def sweep_overhead() -> list[Measurement]:
    """Seconds of a trial with one setting / of the same run by itself, in pairs."""
    with temporary_workspace():
        folder = ensure_sample_dataset()
        config = config_for("compact", str(folder), epochs=8, size=32)
        # The pair before the others prepares pixels and chooses the precision.
        pairs = paired(lambda: _as_trial(config), lambda: _alone(config))
    return [at_most("sweep_overhead", pairs.median, 1.1, note=pairs.note("s"))]


def _alone(config: TrainConfig) -> float:
    store = RunStore()
    _wait_for_worker(store)
    return _seconds(queue.submit(config, store), store)


def _as_trial(config: TrainConfig) -> float:
    store = RunStore()
    _wait_for_worker(store)
    rates = Dimension((config.learning_rate,))
    sweep = start_sweep(SweepConfig(config, {"learning_rate": rates}, trials=1))
    deadline = time.monotonic() + LONGEST_SECONDS
    while not sweep.results.trials and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return _seconds(store.get(sweep.results.trials[0].run), store)


def _wait_for_worker(store: RunStore) -> None:
    """Until one has loaded TensorFlow: neither of the two shall begin with that."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not queue.idle_worker_ready(store) and time.monotonic() < deadline:
        queue.ensure_worker(store)
        time.sleep(LOOK_SECONDS)


def _seconds(run: Run, store: RunStore) -> float:
    """From the run's start to its end."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while run.status.state.active and time.monotonic() < deadline:
        queue.ensure_worker(store)
        time.sleep(LOOK_SECONDS)
    status = run.status
    return status.ended - status.started
