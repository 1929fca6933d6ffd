"""Claims: how a worker takes the next run of the queue, and the devices for it.

A device is busy as long as a living process holds its lock, so a killed worker frees it
at once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from medmodel.core import devices
from medmodel.core.devices import Device
from medmodel.core.errors import RunError
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import write_json
from medmodel.language import N_, SOURCE, _, speaking
from medmodel.runs import webhook
from medmodel.runs.queue import (
    WorkerIdentity,
    device_lock,
    dispatched,
    queue_lock,
    stopped,
    store_of,
    waiting,
)
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status

_STARTING = N_("Starting: TensorFlow is loaded, then the images are looked at.")


@dataclass(frozen=True)
class Claim:
    """A run that this process may train now, and where.

    Args:
        run: The run; this process holds its lock.
        devices: What it computes on.
        lock: The run's lock, to be released after the last status.
        device_locks: To be held until the process ends, when its memory is free.
    """

    run: Run
    devices: list[Device]
    lock: Lock
    device_locks: list[Lock]


def claim_next(store: RunStore) -> Claim | None:
    """Takes the oldest waiting run whose device is free; None if there is none."""
    # Most looks find nothing: find that out without holding up anybody.
    if dispatched(store) or not any(waiting(store)):
        return None
    refused: list[tuple[Run, Failure | None]] = []
    with queue_lock(store):
        claim = _claim_first(store, refused)
    if refused:
        # The run that was taken begins meanwhile, however slow the address is.
        threading.Thread(target=_tell_refused, args=(refused,)).start()
    return claim


def _tell_refused(runs: list[tuple[Run, Failure | None]]) -> None:
    for run, failure in runs:
        webhook.tell_ended(run, RunStatus.FAILED, failure)


def _claim_first(
    store: RunStore, refused: list[tuple[Run, Failure | None]]
) -> Claim | None:
    """As `claim_next`; runs that this machine has no device for fail, and are added."""
    reserved: set[str] = set()
    for run, status in waiting(store):
        if status.message != Status.message:  # as on a cluster, where it went
            status = replace(status, message=Status.message)
            run.write_status(status)
        try:
            with speaking(SOURCE):  # The reason is kept with the run.
                choices = _choices(run.config.device)
        except RunError as error:
            ended = _unstartable(status, str(error))
            run.write_status(ended)
            refused.append((run, ended.failure))
            continue
        free = [c for c in choices if reserved.isdisjoint(d.name for d in c)]
        claim = _claim(run, status, free)
        if claim is not None:
            return claim
        if len(choices) == 1:
            # Otherwise a run that needs all GPUs would wait behind every newer one.
            reserved |= {device.name for device in choices[0]}
    return None


def claim_run(run: Run) -> Claim | None:
    """Takes this run, waiting or ended early; None while its device is busy.

    Raises:
        RunError: The run is done, another worker has it, or this machine lacks the
            device.
    """
    store = store_of(run)
    with queue_lock(store):
        status = run.status
        if status.state in (RunStatus.RUNNING, RunStatus.DONE):
            raise RunError(
                _(
                    "The run {title} is {state} already.",
                    title=run.title,
                    state=_(status.state.value),
                )
            )
        return _claim(run, status, _choices(run.config.device))


def claim_reserved(run: Run, node: str = "") -> Claim | None:
    """Takes this run on whatever this machine shows, which a scheduler reserved.

    None while another process works on it, such as one on a node that was lost.

    Args:
        run: The run.
        node: This machine, in words.

    Raises:
        RunError: It has ended.
    """
    store = store_of(run)
    with queue_lock(store):
        status = run.status
        if not status.state.active and status.state is not RunStatus.INTERRUPTED:
            raise RunError(_("{title} has ended already.", title=run.title))
        lock = run.lock
        if status.state is RunStatus.RUNNING or not lock.acquire():
            return None
        group = devices.gpus() or devices.available()[:1]
        titles = ", ".join(device.title for device in group)
        _write_claim(run, status, titles, node)
        return Claim(run, group, lock, [])


def _claim(run: Run, status: Status, choices: list[list[Device]]) -> Claim | None:
    """Locks the run and the first free devices; the caller holds the queue's lock."""
    store = store_of(run)
    for group in choices:
        held = _acquire_all([device_lock(store, device) for device in group])
        if held is None:
            continue
        lock = run.lock
        if not lock.acquire():
            _release_all(held)
            return None
        _write_claim(run, status, ", ".join(device.title for device in group))
        return Claim(run, group, lock, held)
    return None


def _write_claim(run: Run, status: Status, device: str, node: str = "") -> None:
    import psutil  # not for who only looks at the queue

    process = psutil.Process()
    identity = WorkerIdentity(process.pid, process.create_time(), node)
    write_json(run.folder / "worker.json", identity)
    run.write_status(
        replace(
            status,
            state=RunStatus.RUNNING,
            phase="checking",
            message=_STARTING,
            device=device,
            attempt=status.attempt + 1,
            started=time.time(),
            ended=0.0,
            heartbeat=time.time(),
            failure=None,
        )
    )


def _choices(name: str) -> list[list[Device]]:
    """Groups of devices on which a run may start, best first.

    Raises:
        RunError: This machine has no such device.
    """
    all_devices = devices.available()
    gpus = [device for device in all_devices if device.is_gpu]
    if name == "auto":
        return [[device] for device in gpus or all_devices]
    if name == "all_gpus" and gpus:
        return [gpus]
    matching = [device for device in all_devices if device.name == name]
    if not matching:
        names = ", ".join(device.name for device in all_devices)
        raise RunError(
            _(
                "This machine has no device {name}; it has {names}.",
                name=name,
                names=names,
            )
        )
    return [matching]


def _acquire_all(locks: list[Lock]) -> list[Lock] | None:
    for position, lock in enumerate(locks):
        if locked(lock.path) or not lock.acquire():
            _release_all(locks[:position])
            return None
    return locks


def _release_all(locks: list[Lock]) -> None:
    for lock in locks:
        lock.release()


def _unstartable(status: Status, message: str) -> Status:
    advice = N_("Start it again with another device.")
    return replace(
        stopped(status, message),
        state=RunStatus.FAILED,
        failure=Failure("device", message, advice),
    )
