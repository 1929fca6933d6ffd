"""Queue of runs: what waits, what people ask of it, and the worker that comes for it.

The queue is nothing but the folders of runs and batches whose status is `queued`,
oldest first unless somebody moved one, and no process keeps it: whoever looks may start
the next one, under one lock; see `claims`.

Files in the workspace: `queue.lock` guards every change of the queue, `queue.json`
holds the ids of waiting runs in the order that people gave them, `queue.changed` is
touched after a change, `idle.lock` is held by the one worker that waits with TensorFlow
loaded, `shells.lock` is shared by all shells, `devices/<name>.lock` is held by the
worker that computes there, `dispatcher.lock` by the process that sends runs to a
cluster (see `medmodel.cluster`): while it lives, nobody else takes any.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medmodel.core import audit, devices
from medmodel.core.config import TrainConfig
from medmodel.core.devices import Device, tensorflow_environment
from medmodel.core.environment import ray_address
from medmodel.core.errors import RunError
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import open_log, read_as, read_if_whole, write_json
from medmodel.language import N_, _
from medmodel.runs.run import BATCHES, RATE_TESTS, RUNS, Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status

STOP_SECONDS = 20.0
KILL_SECONDS = 5.0
# A worker that was just started needs about this long until it holds idle.lock.
START_SECONDS = 3.0
# One that could not start would fail again at once, and take a core each time.
RETRY_SECONDS = 30.0
ORDER = "queue.json"
WORKER: tuple[str, ...] = (sys.executable, "-m", "medmodel.worker")
DISPATCHER: tuple[str, ...] = (sys.executable, "-m", "medmodel.cluster")

_starting = threading.Lock()
_started: dict[Path, float] = {}
_children: list[subprocess.Popen[bytes]] = []
_present: dict[Path, Lock] = {}


@dataclass(frozen=True)
class WorkerIdentity:
    """What worker.json holds: which process trains a run.

    Args:
        pid: Its number.
        started: When it began, seconds since 1970: numbers are given again.
        node: On which machine of a cluster, in words; "" where it was started here.
    """

    pid: int
    started: float
    node: str = ""


def submit(config: TrainConfig, store: RunStore) -> Run:
    """Puts a new run into the queue and sees that a worker comes for it.

    Raises:
        ConfigError: A setting is wrong.
    """
    run = store.create(config)
    audit.record("train", run=run.id, dataset=config.dataset, recipe=config.recipe)
    notify_queue(store)
    return run


def stop(run: Run) -> None:
    """Takes a waiting run out of the queue, or asks its worker to stop.

    A worker stops after the current step. Where it has not done so `STOP_SECONDS`
    after it was asked (see `stop_overdue`), asking again ends its process.

    Raises:
        RunError: The run has ended already.
    """
    store = store_of(run)
    with queue_lock(store):
        status = run.status
        if not status.state.active:
            raise RunError(_("{title} has ended already.", title=run.title))
        if status.state is RunStatus.QUEUED:
            run.write_status(stopped(status, N_("Stopped before it began.")))
        elif stop_overdue(run) and node_of(run):
            run.request_kill()  # by the cluster, which alone can
        elif stop_overdue(run):
            _kill(run)
            if not run.alive:
                run.write_status(stopped(status, N_("Stopped by force.")))
        else:
            run.request_stop()
    audit.record("stop", run=run.id)


def stop_overdue(run: Run) -> bool:
    """Whether the worker was asked to stop long ago and still works."""
    try:
        requested_at = (run.folder / "stop").stat().st_mtime
    except FileNotFoundError:
        return False
    return run.alive and time.time() - requested_at > STOP_SECONDS


def resume(run: Run, store: RunStore) -> None:
    """Puts a run that ended early into the queue again; it goes on where it was.

    Raises:
        RunError: The run waits, works or is done, or its settings are lost.
        ConfigError: A setting is none that can be trained with.
    """
    run.check_settings()
    with queue_lock(store):
        status = run.status
        if status.state.active or status.state is RunStatus.DONE:
            raise RunError(
                _(
                    "{title} is {state}: only what was stopped, was interrupted or "
                    "failed can be resumed.",
                    title=run.title,
                    state=_(status.state.value),
                )
            )
        run.clear_stop()
        run.write_status(
            replace(
                status,
                state=RunStatus.QUEUED,
                phase="waiting",
                message=Status.message,
                seconds_left=None,
                ended=0.0,
                failure=None,
            )
        )
    audit.record("resume", run=run.id)
    notify_queue(store)


def delete(run: Run, store: RunStore) -> None:
    """Removes a run and all its files; a waiting one leaves the queue first.

    Raises:
        RunError: A worker holds it.
    """
    with queue_lock(store):
        store.delete(run)
    audit.record("delete", run=run.id)


def waiting(store: RunStore) -> Iterator[tuple[Run, Status]]:
    """The queue in its order; runs with damaged files are left out."""
    order = queue_order(store)
    places = (RUNS, BATCHES, RATE_TESTS)
    stores = [RunStore(store.root, place) for place in places]
    listed = [run for each in stores for run in each.list()]
    listed.sort(key=lambda run: (order.get(run.id, len(order)), run.id))
    for run in listed:
        try:
            status = run.status
        except RunError:
            continue  # The list of runs shows what is wrong with it.
        if status.state is RunStatus.QUEUED:
            yield run, status


def queue_order(store: RunStore) -> dict[str, int]:
    """Id of a run -> its place among those that people put into an order.

    All others come after them, oldest first.
    """
    ids = read_if_whole(store.root / ORDER, list[str]) or []
    return {run_id: place for place, run_id in enumerate(ids)}


def move(run: Run, places: int | None = None) -> None:
    """Moves a waiting run in the queue.

    Args:
        run: The run.
        places: How far back, negative for forward; None to the front.

    Raises:
        RunError: It does not wait any more.
    """
    store = store_of(run)
    with queue_lock(store):
        everything = [other for other, _status in waiting(store)]
        ids = [other.id for other in everything if not _is_rate_test(other)]
        if run.id not in ids:
            raise RunError(_("{title} does not wait any more.", title=run.title))
        place = ids.index(run.id)
        ids.remove(run.id)
        new = 0 if places is None else min(max(place + places, 0), len(ids))
        ids.insert(new, run.id)
        # Tests of learning rates stand in no list: they keep their places.
        rest = iter(ids)
        order = [o.id if _is_rate_test(o) else next(rest) for o in everything]
        write_json(store.root / ORDER, order)
    audit.record("move", run=run.id, place=new + 1)
    notify_queue(store)


def _is_rate_test(run: Run) -> bool:
    return run.folder.parent.name == RATE_TESTS


def notify_queue(store: RunStore) -> None:
    """Says that a run waits, and sees that a worker comes for it."""
    (store.root / "queue.changed").touch()
    ensure_worker(store)


def ensure_worker(store: RunStore) -> None:
    """Starts a worker that loads TensorFlow and waits, if none does; cheap to call.

    Where MEDMODEL_RAY names a cluster: the process that sends runs there.

    None is started while every device is busy and no run waits: it would only take
    memory. The calling process counts as a shell from now on: without any shell and
    without waiting runs, idle workers end.
    """
    with _starting:
        _be_present(store)
        pause = RETRY_SECONDS if any(c.poll() for c in _children) else START_SECONDS
        just_started = time.monotonic() - _started.get(store.root, -pause)
        if dispatched(store) or just_started < pause:
            return
        if ray_address():
            start_worker(store)
            return
        if locked(_idle_lock(store).path):
            return
        all_devices = devices.available()
        if not all(locked(device_lock(store, d).path) for d in all_devices) or any(
            waiting(store)
        ):
            start_worker(store)


def start_worker(store: RunStore) -> None:
    """Starts an idle worker; it ends at once if there is one already.

    Where MEDMODEL_RAY names a cluster: the process that sends runs there.
    """
    command = (*DISPATCHER,) if ray_address() else (*WORKER, "--idle")
    store.root.mkdir(parents=True, exist_ok=True)
    _children[:] = [child for child in _children if child.poll() is None]
    with open_log(store.root, "idle.log") as log:
        process = subprocess.Popen(
            [*command, str(store.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=tensorflow_environment() | {"MEDMODEL_WORKSPACE": str(store.root)},
            # Ctrl-C in the shell's terminal must not reach what is being trained.
            start_new_session=True,
        )
    _children.append(process)
    _started[store.root] = time.monotonic()


def dispatched(store: RunStore) -> bool:
    """Whether a process sends the runs of this workspace to a cluster."""
    return locked(dispatcher_lock(store).path)


def dispatcher_lock(store: RunStore) -> Lock:
    """Held by the one process that sends runs to a cluster."""
    return Lock(store.root / "dispatcher.lock")


def idle_worker_ready(store: RunStore) -> bool:
    """Whether a worker waits with everything loaded, or runs go to a cluster."""
    if dispatched(store):
        return True
    return locked(_idle_lock(store).path) and (store.root / "idle.ready").exists()


def shell_present(store: RunStore) -> bool:
    """Whether any shell has this workspace open."""
    lock = Lock(store.root / "shells.lock")
    if not lock.acquire():
        return True
    lock.release()
    return False


def queue_stamp(store: RunStore) -> int:
    """A number that changes whenever the queue does; costs one look at a file."""
    try:
        return (store.root / "queue.changed").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def change_waiting(run: Run, expected: RunStatus, **changes: Any) -> bool:
    """Changes the status of a run that no worker holds; whether that was done.

    Args:
        run: The run.
        expected: Its state; where it is another by now, nothing is changed.
        **changes: Fields of `Status`.
    """
    with queue_lock(store_of(run)):
        status = run.status
        if status.state is not expected or run.alive:
            return False
        changed = replace(status, **changes)
        if changed.state is RunStatus.QUEUED:
            changed = replace(changed, failure=None, seconds_left=None)
        if changed != status:
            run.write_status(changed)
        return True


def node_of(run: Run) -> str:
    """On which machine of a cluster the run is trained, or was; "" if on none."""
    identity = read_if_whole(run.folder / "worker.json", WorkerIdentity)
    return identity.node if identity else ""


def stopped(status: Status, message: str) -> Status:
    """The status of a run that nobody works on any more."""
    return replace(
        status,
        state=RunStatus.STOPPED,
        phase="finished",
        message=message,
        seconds_left=None,
        ended=time.time(),
    )


def _kill(run: Run) -> None:
    """Ends the worker of a run and its helpers, and waits until they are gone."""
    import psutil

    try:
        identity = read_as(run.folder / "worker.json", WorkerIdentity)
        if identity is None:
            return
        worker = psutil.Process(identity.pid)
        # The number may long belong to another process.
        if abs(worker.create_time() - identity.started) > 1.0:
            return
        family = [worker, *worker.children(recursive=True)]
        for process in family:
            process.kill()
    except (psutil.Error, ValueError, OverflowError):
        return
    deadline = time.monotonic() + KILL_SECONDS
    while run.alive and time.monotonic() < deadline:
        time.sleep(0.02)


def store_of(run: Run) -> RunStore:
    """The workspace of a run, whatever folder of it the run is in."""
    return RunStore(run.folder.parent.parent)


def queue_lock(store: RunStore) -> Lock:
    """Held while the queue changes."""
    return Lock(store.root / "queue.lock")


def _idle_lock(store: RunStore) -> Lock:
    return Lock(store.root / "idle.lock")


def device_lock(store: RunStore, device: Device) -> Lock:
    """Held by the worker that computes there."""
    return Lock(store.root / "devices" / f"{device.name}.lock")


def _be_present(store: RunStore) -> None:
    if store.root not in _present:
        lock = Lock(store.root / "shells.lock", shared=True)
        if lock.acquire(wait=1.0):
            _present[store.root] = lock
