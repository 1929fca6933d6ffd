"""Row cluster: a sweep on two nodes against one, and what the loss of a node costs."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.cluster import waiting_worker
from medmodel.benchmark.cluster.nodes import LocalCluster, local_cluster
from medmodel.benchmark.pairs import PairedRatio
from medmodel.benchmark.servers import temporary_workspace
from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.head import Head
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import DataError
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import read_history
from medmodel.sweeps.driver import Driver
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import make_sweep

TRIALS = 8
TRIAL_SECONDS = 15
PAIRS = 3
LOOK_SECONDS = 0.5
LONGEST_SECONDS = 3600.0
KILLED_AFTER = 3
"""Epochs after which a node is killed."""


def cluster() -> list[Measurement]:
    """Seconds of a sweep on two nodes / on one; seconds lost with a node."""
    with temporary_workspace(), local_cluster() as ray, sending() as dispatcher:
        ray.add_node()
        one: list[float] = []
        two: list[float] = []
        for _pair in range(PAIRS):
            one.append(_sweep_seconds(dispatcher))
            second = ray.add_node()
            two.append(_sweep_seconds(dispatcher))
            ray.kill_node(second)
            # The head is one, too.
            wait_for(lambda: len(ray.head.nodes()) == 2, dispatcher)
        lost = seconds_lost(ray, dispatcher)
    pairs = PairedRatio(two, one)
    note = f"{TRIALS} trials that wait {TRIAL_SECONDS} s each: {pairs.note('s')}"
    return [
        at_most("cluster", pairs.median, 0.6, note=note),
        at_most(
            "cluster",
            lost,
            60.0,
            "s",
            "from the loss of a node to the next epoch on another one, which was "
            "started at that moment; an epoch takes 1 s",
        ),
    ]


@contextlib.contextmanager
def sending() -> Iterator[Dispatcher]:
    """This process sends runs to the cluster; their workers only wait."""
    store = RunStore()
    lock = queue.dispatcher_lock(store)
    if not lock.acquire():
        raise DataError("Another process sends the runs of this workspace.")
    command = (sys.executable, "-m", waiting_worker.MODULE)
    with mock.patch.object(queue, "WORKER", command):
        try:
            yield Dispatcher(store, Head.from_environment())
        finally:
            lock.release()


def seconds_lost(ray: LocalCluster, dispatcher: Dispatcher) -> float:
    """Kills the node of a run at work, starts another, waits for the next epoch.

    Raises:
        DataError: It does not come.
    """
    run = queue.submit(waiting_config(epochs=60), dispatcher.store)
    wait_for(lambda: epochs_of(run, 1) >= KILLED_AFTER, dispatcher)
    for process in ray.nodes[1:]:
        if process.poll() is None:
            ray.kill_node(process)
    killed = time.monotonic()
    ray.add_node()
    wait_for(lambda: epochs_of(run, 2) > 0, dispatcher)
    lost = time.monotonic() - killed
    queue.stop(run)
    wait_for(lambda: not run.status.state.active, dispatcher)
    return lost


def _sweep_seconds(dispatcher: Dispatcher) -> float:
    rates = Dimension(tuple(number / 1000 for number in range(1, TRIALS + 1)))
    base = waiting_config(TRIAL_SECONDS)
    config = SweepConfig(base, {"learning_rate": rates}, TRIALS, prune=False)
    driver = Driver(make_sweep(config), dispatcher.store)
    dispatcher.look()  # how many nodes there are
    began = time.monotonic()
    wait_for(lambda: not driver.step(), dispatcher)
    seconds = time.monotonic() - began
    states = {trial.state for trial in driver.sweep.results.trials}
    if states != {RunStatus.DONE.value}:
        raise DataError(f"Trials ended as {', '.join(sorted(states))}.")
    return seconds


def waiting_config(epochs: int) -> TrainConfig:
    """Settings of a run that waits a second for each epoch."""
    return config_for("compact", "/nowhere", epochs=epochs)


def wait_for(done: Callable[[], bool], dispatcher: Dispatcher) -> None:
    """Looks at the cluster until something is done.

    Raises:
        DataError: It takes too long.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise DataError("The cluster takes too long.")
        dispatcher.look()
        time.sleep(LOOK_SECONDS)


def epochs_of(run: Run, attempt: int) -> int:
    """Finished epochs of one of the run's starts."""
    history = read_history(run)
    return int((history["attempt"] == attempt).sum()) if len(history) else 0
