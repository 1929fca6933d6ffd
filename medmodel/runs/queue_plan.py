"""When each waiting run or batch is expected to start, and whether it has memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medmodel.core import devices
from medmodel.core.config import TrainConfig
from medmodel.core.devices import Device
from medmodel.core.environment import ray_address
from medmodel.runs.memory import memory_needed
from medmodel.runs.progress.time_plan import batch_plan, time_plan
from medmodel.runs.queue import queue_order
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus


@dataclass(frozen=True)
class WaitingRun:
    """One line of the queue.

    Args:
        entry: The run or batch.
        seconds: Until it is expected to start; None where nothing tells.
        needed: Bytes of memory that it will need, roughly.
        total: Bytes that its device has; 0 where nobody tells.
        device: On which it will start, as far as one can tell.
    """

    entry: Entry
    seconds: float | None
    needed: int
    total: int
    device: Device

    @property
    def fits(self) -> bool:
        """Whether its device has so much memory; true where nobody tells."""
        return not self.total or self.needed <= self.total


def queue_plan(
    store: RunStore,
    entries: Sequence[Entry],
    images: Callable[[Entry], int],
    busy: int = 0,
) -> list[WaitingRun]:
    """The queue in its order, with estimates.

    Args:
        store: The workspace's runs.
        entries: All of them, and the batches that wait or are at work.
        images: How many images a run's data set has, or a batch, roughly.
        busy: Devices that this is planned for; 0: those that `auto` chooses from.
    """
    places = busy or len(devices.gpus()) or 1
    free_at: list[float] = [0.0] * places
    known = True
    for entry in entries:
        if entry.status.state is RunStatus.RUNNING:
            left = entry.status.seconds_left
            known = known and left is not None
            heapq.heapreplace(free_at, min(free_at) + (left or 0.0))
    order = queue_order(store)
    waiting = [e for e in entries if e.status.state is RunStatus.QUEUED]
    waiting.sort(key=lambda e: (order.get(e.run.id, len(order)), e.run.id))
    plan = []
    for entry in waiting:
        start = min(free_at)
        plan_of = batch_plan if entry.run.is_batch else time_plan
        count = images(entry)
        seconds = plan_of(entry.config, count, store.root).whole
        heapq.heapreplace(free_at, start + seconds)
        plan.append(_line(entry, start if known else None, count))
    return plan


def expected_device(config: TrainConfig) -> Device:
    """On which device a run with these settings starts, as far as one can tell."""
    everything = devices.available()
    named = [device for device in everything if device.name == config.device]
    return (named or devices.gpus() or everything)[0]


def known_memory(device: Device) -> int:
    """Bytes of memory of a device; 0 where nobody tells, as of a cluster's nodes."""
    return 0 if ray_address() else devices.total_memory(device)


def _line(entry: Entry, seconds: float | None, images: int) -> WaitingRun:
    device = expected_device(entry.config)
    trains = not entry.run.is_batch
    needed = memory_needed(entry.config, device.is_gpu, trains, images)
    return WaitingRun(entry, seconds, needed, known_memory(device), device)
