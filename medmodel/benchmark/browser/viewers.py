"""Many viewers of one live run: how late a point is, and what it costs."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.browser.serving import wait_for_runs
from medmodel.benchmark.pairs import PAIRS, PairedRatio
from medmodel.benchmark.servers import Server, percentile, serving, temporary_workspace
from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.cells import read_cells

ARRIVE_SECONDS = 60
"""In which every viewer must have come; what they see is measured afterwards."""
MOST_READERS = 50
"""Viewers that look into what they get: browsers do so elsewhere, not on these cores;
the others receive the same, and do not look."""


def viewers() -> list[Measurement]:
    """50 viewers of one live run: delay of a point, training slowed, shell's load."""
    seen = _measured(50)
    return [
        at_most("viewers", percentile(seen.delays, 0.95), 0.5, "s", seen.late),
        at_least("viewers_training", seen.speeds.median, 0.95, note=seen.slowed),
        at_most("viewers_shell", seen.load, 0.15, "cores", "while 50 watch"),
    ]


def viewers_500() -> list[Measurement]:
    """500 viewers of one live run: delay of a point, training slowed."""
    seen = _measured(500)
    slowed = f"{seen.slowed}; the shell took {seen.load:.2f} cores"
    return [
        at_most("viewers_500", percentile(seen.delays, 0.95), 1.0, "s", seen.late),
        at_least("viewers_500_training", seen.speeds.median, 0.9, note=slowed),
    ]


@dataclass(frozen=True)
class Watched:
    """What many viewers of a run saw, and what they cost.

    Args:
        delays: Seconds from a point's being written to its being there.
        speeds: Steps/s while they watch / while nobody does.
        load: Cores that the shell took.
    """

    delays: list[float]
    speeds: PairedRatio
    load: float

    @property
    def late(self) -> str:
        """How many points came, and how late, in words."""
        median = statistics.median(self.delays)
        return f"{len(self.delays)} points received, median {median:.3f} s"

    @property
    def slowed(self) -> str:
        """What became of training, in words."""
        return self.speeds.note("steps/s")


def _measured(count: int) -> Watched:
    """So many viewers of one run while it trains."""
    with temporary_workspace() as workspace:
        sample = str(ensure_sample_dataset())
        config = config_for("compact", sample, epochs=500, patience=0)
        with serving(workspace) as server:
            run = queue.submit(config, RunStore())
            try:
                _wait_for_steps(run, 20)
                delays, alone, watched, load = asyncio.run(
                    _watch(server, run, count=count)
                )
            finally:
                queue.stop(run)
                wait_for_runs(workspace)
    return Watched(delays, PairedRatio(watched, alone), load)


def _wait_for_steps(run: Run, count: int) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if len(list(_steps(run))) >= count:
            return
        if run.status.failure:
            raise DataError(f"The run failed: {run.status.failure}")
        time.sleep(0.5)
    raise DataError("Training did not begin within three minutes.")


def _steps(run: Run) -> Iterator[tuple[int, float]]:
    for step, seconds in read_cells(run.steps_path, "step", "time"):
        yield int(step), float(seconds)


async def _watch(
    server: Server, run: Run, window: float = 15.0, count: int = 50
) -> tuple[list[float], list[float], list[float], float]:
    """Alternates windows with and without viewers of the same run."""
    seen: list[tuple[int, float]] = []
    alone, watched, loads = [], [], []
    shell = psutil.Process(server.pid)
    for _ in range(PAIRS):
        alone.append(await _speed(run, window))
        stop, arrived = asyncio.Event(), asyncio.Semaphore(0)
        viewers = (
            _view(_address(server, run), seen, stop, arrived, number < MOST_READERS)
            for number in range(count)
        )
        watching = asyncio.gather(*viewers)
        for _viewer in range(count):
            await asyncio.wait_for(arrived.acquire(), ARRIVE_SECONDS)
        await asyncio.sleep(2)
        before, began = sum(shell.cpu_times()[:2]), time.perf_counter()
        watched.append(await _speed(run, window))
        used = sum(shell.cpu_times()[:2]) - before
        loads.append(used / (time.perf_counter() - began))
        stop.set()
        await watching
    made = dict(_steps(run))
    delays = [at - made[step] for step, at in seen if step in made]
    return delays, alone, watched, statistics.median(loads)


async def _speed(run: Run, window: float) -> float:
    before, began = run.status.step, time.perf_counter()
    await asyncio.sleep(window)
    return (run.status.step - before) / (time.perf_counter() - began)


def _address(server: Server, run: Run) -> str:
    return f"{server.url.replace('http', 'ws', 1)}/live/{run.id}"


async def _view(
    url: str,
    seen: list[tuple[int, float]],
    stop: asyncio.Event,
    arrived: asyncio.Semaphore,
    reads: bool,
) -> None:
    import websockets

    async with websockets.connect(
        url, max_size=None, open_timeout=ARRIVE_SECONDS
    ) as socket:
        arrived.release()
        first = True
        while not stop.is_set():
            try:
                text = await asyncio.wait_for(socket.recv(), 0.5)
            except asyncio.TimeoutError:
                continue
            if not reads:
                continue
            now, message = time.time(), json.loads(text)
            steps = message.get("steps", [[]])[0]
            if not first:
                seen += [(int(step), now) for step in steps]
            first = False
