"""The queue by itself: who may be claimed when; processes are in test_worker."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest

from medmodel.core import devices
from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.core.locks import locked
from medmodel.core.storage import write_json
from medmodel.runs import queue, webhook
from medmodel.runs.claims import Claim, claim_next, claim_run
from medmodel.runs.run import BATCHES, RATE_TESTS, Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status


@pytest.fixture
def store(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, on: Callable[[str], None]
) -> Iterator[RunStore]:
    """A workspace for which no worker is ever started."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    on("cpu")
    yield RunStore()
    for claim in held:
        release(claim)
    held.clear()


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Gives the machine these devices."""

    def pretend(names: str) -> None:
        monkeypatch.setenv("MEDMODEL_DEVICES", names)
        devices.available.cache_clear()

    yield pretend
    devices.available.cache_clear()


def queued(store: RunStore, number: int, device: str = "auto") -> Run:
    """A waiting run, the older the smaller its number."""
    run = store.create(TrainConfig(dataset="/data", device=device))
    folder = store.folder / f"20260101-{number:06}-aaaaaa"
    run.folder.rename(folder)
    return Run(folder)


held: list[Claim] = []


def release(claim: Claim) -> None:
    """What the operating system does at the end of a process."""
    for lock in [claim.lock, *claim.device_locks]:
        lock.release()


def end(claim: Claim, state: RunStatus = RunStatus.DONE) -> None:
    """What the end of a worker's process does."""
    claim.run.write_status(Status(state=state, attempt=claim.run.status.attempt))
    release(claim)


def claimed(store: RunStore) -> Claim:
    claim = claim_next(store)
    assert claim is not None
    held.append(claim)
    return claim


def test_oldest_first_one_per_device(store: RunStore) -> None:
    young, old = queued(store, 2), queued(store, 1)
    assert [run.id for run, _ in queue.waiting(store)] == [old.id, young.id]
    claim = claimed(store)
    assert claim.run.id == old.id
    assert old.status.state is RunStatus.RUNNING
    assert old.status.attempt == 1
    assert old.status.started > 0
    assert old.status.device == "CPU"
    assert claim_next(store) is None
    assert young.status.state is RunStatus.QUEUED
    end(claim)
    assert claimed(store).run.id == young.id


def test_gpus_are_preferred_and_waited_for(
    store: RunStore, on: Callable[[str], None]
) -> None:
    on("cpu,gpu:0,gpu:1")
    for number in range(3):
        queued(store, number)
    first, second = claimed(store), claimed(store)
    assert [d.name for d in first.devices + second.devices] == ["gpu:0", "gpu:1"]
    assert claim_next(store) is None  # The processor is no place to hurry to.
    on_processor = queued(store, 3, device="cpu")
    assert claimed(store).run.id == on_processor.id


def test_all_gpus_waits_for_all_and_is_not_overtaken(
    store: RunStore, on: Callable[[str], None]
) -> None:
    on("cpu,gpu:0,gpu:1")
    queued(store, 1, device="gpu:0")
    both = queued(store, 2, device="all_gpus")
    queued(store, 3)
    first = claimed(store)
    assert claim_next(store) is None  # gpu:1 is kept for the older run.
    end(first)
    claim = claimed(store)
    assert claim.run.id == both.id
    assert [device.name for device in claim.devices] == ["gpu:0", "gpu:1"]
    assert claim_next(store) is None


@pytest.mark.parametrize("device", ["gpu:0", "all_gpus", "quantum"])
def test_missing_device(
    store: RunStore, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: SimpleQueue[tuple[str, RunStatus, str]] = SimpleQueue()
    answered = threading.Event()

    def notify(*facts: Any) -> None:
        answered.wait(10)
        told.put(facts)

    monkeypatch.setattr(webhook, "notify", notify)
    run = queued(store, 1, device=device)
    assert claim_next(store) is None
    assert told.empty()  # a slow address holds nobody up
    answered.set()
    assert told.get(timeout=10) == (run.id, RunStatus.FAILED, "device")
    status = run.status
    assert status.state is RunStatus.FAILED
    assert status.failure is not None and device in status.failure.message
    with pytest.raises(RunError, match="has no device"):
        claim_run(run)


def test_damaged_runs_do_not_hold_up_the_queue(store: RunStore) -> None:
    without_status, without_config = queued(store, 1), queued(store, 2)
    good = queued(store, 3)
    (without_status.folder / "status.json").write_text("{")
    (without_config.folder / "config.json").write_text("{")
    assert claimed(store).run.id == good.id
    assert without_config.status.state is RunStatus.FAILED
    queue.delete(without_status, store)
    assert len(store.list()) == 2


def test_threads_never_claim_the_same_run(
    store: RunStore, on: Callable[[str], None]
) -> None:
    on(",".join(f"cpu{i}" for i in range(6)))
    for number in range(6):
        queued(store, number)
    claims: list[Claim | None] = []
    threads = [
        threading.Thread(target=lambda: claims.append(claim_next(store)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held.extend(claim for claim in claims if claim is not None)
    taken = [claim.run.id for claim in held]
    assert len(taken) == len(set(taken)) == 6


def test_stop_of_a_waiting_run(store: RunStore) -> None:
    run = queued(store, 1)
    queue.stop(run)
    assert run.status.state is RunStatus.STOPPED
    assert claim_next(store) is None
    with pytest.raises(RunError, match="has ended already"):
        queue.stop(run)


def test_stop_of_a_running_run_is_a_request(store: RunStore) -> None:
    run = queued(store, 1)
    claim = claimed(store)
    queue.stop(run)
    assert run.stop_requested
    assert run.status.state is RunStatus.RUNNING
    assert not queue.stop_overdue(run)
    end(claim)


@pytest.mark.parametrize("state", [RunStatus.STOPPED, RunStatus.FAILED])
def test_resume(store: RunStore, state: RunStatus) -> None:
    run = queued(store, 1)
    claim = claimed(store)
    run.request_stop()
    end(claim, state)
    queue.resume(run, store)
    assert not run.stop_requested
    status = run.status
    assert status.state is RunStatus.QUEUED
    assert (status.ended, status.failure, status.phase) == (0.0, None, "waiting")
    assert claimed(store).run.status.attempt == 2


def test_resume_after_a_kill(store: RunStore) -> None:
    run = queued(store, 1)
    claim = claimed(store)
    release(claim)
    assert run.status.state is RunStatus.INTERRUPTED
    queue.resume(run, store)
    assert run.status.state is RunStatus.QUEUED


def test_what_cannot_be_resumed(store: RunStore) -> None:
    run = queued(store, 1)
    with pytest.raises(RunError, match="queued"):
        queue.resume(run, store)
    claim = claimed(store)
    with pytest.raises(RunError, match="running"):
        queue.resume(run, store)
    end(claim)
    with pytest.raises(RunError, match="done"):
        queue.resume(run, store)


def test_delete(store: RunStore) -> None:
    waiting, running = queued(store, 2), queued(store, 1)
    queue.delete(waiting, store)
    claim = claimed(store)
    with pytest.raises(RunError, match="stop it first"):
        queue.delete(running, store)
    end(claim)
    queue.delete(running, store)
    assert store.list() == []
    with pytest.raises(RunError):
        queue.delete(running, store)


def test_submit_says_so(store: RunStore) -> None:
    before = queue.queue_stamp(store)
    run = queue.submit(TrainConfig(dataset="/data"), store)
    assert queue.queue_stamp(store) != before
    assert run.status.state is RunStatus.QUEUED
    assert '"train"' in (store.root / "audit.jsonl").read_text()


@pytest.mark.parametrize(("ended", "starts"), [(1, 0), (-9, 0), (0, 1)])
def test_a_worker_that_could_not_start_is_not_tried_at_once(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, ended: int, starts: int
) -> None:
    started: list[RunStore] = []
    monkeypatch.setattr(queue, "start_worker", started.append)
    child = subprocess.Popen([sys.executable, "-c", "import os; os._exit(9)"])
    child.wait()
    child.returncode = ended
    monkeypatch.setattr(queue, "_children", [child])
    monkeypatch.setitem(queue._started, store.root, time.monotonic() - 10)
    queue.ensure_worker(store)
    assert len(started) == starts
    monkeypatch.setitem(queue._started, store.root, time.monotonic() - 40)
    queue.ensure_worker(store)
    assert len(started) == starts + 1


def test_a_worker_is_started_only_where_one_is_of_use(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunStore] = []
    monkeypatch.setattr(queue, "start_worker", started.append)
    assert not queue.shell_present(store)
    queue.ensure_worker(store)
    assert len(started) == 1
    assert queue.shell_present(store)
    idle = queue._idle_lock(store)
    assert idle.acquire()
    queue.ensure_worker(store)
    assert len(started) == 1
    idle.release()
    queued(store, 1)
    claim = claimed(store)
    queue.ensure_worker(store)  # All devices are busy, nothing waits.
    assert len(started) == 1
    queued(store, 2)
    queue.ensure_worker(store)  # The next one finds TensorFlow loaded.
    assert len(started) == 2
    end(claim)
    assert not locked(store.root / "queue.lock")


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_force_ends_a_worker_and_its_children(store: RunStore) -> None:
    run = store.create(TrainConfig(dataset="/data"))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout
        child = psutil.Process(int(worker.stdout.readline()))
        started = psutil.Process(worker.pid).create_time()
        note = run.folder / "worker.json"
        # Another process that got the number of a worker that is long gone.
        for noted in ({"pid": worker.pid, "started": started - 2}, {}, {"pid": -1}):
            write_json(note, noted)
            queue._kill(run)
            assert worker.poll() is None and child.is_running()
        write_json(note, {"pid": worker.pid, "started": started})
        queue._kill(run)
        assert worker.wait(10) == -9
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("state", "act", "message"),
    [
        (RunStatus.QUEUED, queue.stop, "has ended already"),
        (RunStatus.STOPPED, lambda run: queue.resume(run, RunStore()), "is done"),
    ],
)
def test_a_run_is_looked_at_under_the_lock(
    store: RunStore,
    monkeypatch: pytest.MonkeyPatch,
    state: RunStatus,
    act: Callable[[Run], None],
    message: str,
) -> None:
    """While the lock was waited for, the run may have ended."""
    run = queued(store, 1)
    run.write_status(Status(state))

    @contextlib.contextmanager
    def lock(_: RunStore) -> Iterator[None]:
        run.write_status(Status(RunStatus.DONE))
        yield

    monkeypatch.setattr(queue, "queue_lock", lock)
    with pytest.raises(RunError, match=message):
        act(run)
    assert run.status.state is RunStatus.DONE


def test_what_an_idle_worker_prints_is_not_written_through_a_link(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    workspace.mkdir(exist_ok=True)
    (workspace / "idle.log").symlink_to(outside)
    monkeypatch.setattr(queue, "WORKER", (sys.executable, "-c", "print('loaded')"))
    monkeypatch.setattr(queue, "_children", [])
    queue.start_worker(RunStore())
    assert queue._children[0].wait() == 0
    assert (workspace / "idle.log").read_bytes() == b"loaded\n"
    assert outside.read_bytes() == b"secret"


@pytest.mark.parametrize("place", [BATCHES, RATE_TESTS])
def test_batches_wait_in_the_same_queue(class_folders: Path, place: str) -> None:
    store, batches = RunStore(), RunStore(place=place)
    config = TrainConfig(str(class_folders))
    first, second, third = (s.create(config) for s in (store, batches, store))
    both = [run.folder for run, _status in queue.waiting(store)]
    assert both == [first.folder, second.folder, third.folder]
    assert [run.folder for run, _status in queue.waiting(batches)] == both
    assert [run.folder for run in store.list()] == [third.folder, first.folder]
    store.delete(first)
    claim = claim_next(store)
    assert claim is not None and claim.run.folder == second.folder
    claim.lock.release()
    for lock in claim.device_locks:
        lock.release()
