"""Workers as real processes: how they end, what they leave, who takes which run."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from medmodel import worker as at_work
from medmodel.core import devices
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import read_json
from medmodel.runs import claims, queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests import stub_worker
from tests.conftest import release_shell
from tests.stubbed_queue import stubbed_queue


@pytest.fixture
def store(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """A workspace whose workers train with the stub; none of them outlives the test."""
    with stubbed_queue(workspace, monkeypatch) as store:
        yield store


def conduct(name: str, device: str = "auto") -> TrainConfig:
    return TrainConfig(dataset="/data", name=name, device=device)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ended(run: Run) -> bool:
    return not run.status.state.active


def trained_by(run: Run) -> list[int]:
    """Process ids of every training of this run."""
    path = run.folder / "trained"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def work_on(run: Run) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*stub_worker.WORKER, str(run.folder)])


def test_done(store: RunStore) -> None:
    run = store.create(conduct("done"))
    assert work_on(run).wait() == 0
    status = run.status
    assert (status.state, status.phase, status.attempt) == (
        RunStatus.DONE,
        "finished",
        1,
    )
    assert status.started <= status.heartbeat
    assert status.failure is None
    log = (run.folder / "log.txt").read_text()
    assert "on -1" in log  # No GPU is shown to a run on the processor.
    assert "a line from C++" in log
    assert not run.alive


def test_a_run_whose_log_is_a_link_is_trained_and_nothing_is_written_there(
    store: RunStore,
) -> None:
    run = store.create(conduct("done"))
    outside = store.root.parent / "outside.txt"
    outside.write_text("secret")
    (run.folder / "log.txt").symlink_to(outside)
    assert work_on(run).wait() == 0
    assert "a line from C++" in (run.folder / "log.txt").read_text()
    assert outside.read_text() == "secret"


def test_failed_keeps_traceback_and_names_the_failure(store: RunStore) -> None:
    run = store.create(conduct("fail"))
    assert work_on(run).wait() == 1
    status = run.status
    assert status.state is RunStatus.FAILED
    assert status.failure is not None
    assert status.failure.kind
    log = (run.folder / "log.txt").read_text()
    assert "Traceback" in log
    assert "ValueError: the stub was told to fail" in log


@pytest.mark.parametrize("how", ["stop", "sigterm"])
def test_stopped(store: RunStore, how: str) -> None:
    run = store.create(conduct("long"))
    process = work_on(run)
    wait_for(lambda: trained_by(run))
    if how == "stop":
        queue.stop(run)
    else:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert run.status.state is RunStatus.STOPPED
    assert "before there was a model" in run.status.message


def test_killed_is_interrupted_and_resumes(store: RunStore) -> None:
    run = store.create(conduct("long"))
    process = work_on(run)
    wait_for(lambda: trained_by(run))
    process.kill()
    wait_for(lambda: run.status.state is RunStatus.INTERRUPTED)  # Even as a zombie.
    process.wait()
    failure = run.status.failure
    assert failure is not None and failure.kind == "killed"

    queue.resume(run, store)
    wait_for(lambda: len(trained_by(run)) == 2)
    assert run.status.attempt == 2
    assert run.status.failure is None
    queue.stop(run)
    wait_for(lambda: ended(run))


def test_stop_by_force_ends_a_worker_that_hangs(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(conduct("hang"))
    process = work_on(run)
    wait_for(lambda: trained_by(run))
    queue.stop(run)
    assert not queue.stop_overdue(run)
    assert run.status.state is RunStatus.RUNNING
    monkeypatch.setattr(queue, "STOP_SECONDS", 0.0)
    assert queue.stop_overdue(run)
    queue.stop(run)
    assert process.wait(timeout=10) == -signal.SIGKILL
    assert run.status.state is RunStatus.STOPPED
    assert run.status.message == "Stopped by force."


def test_given_run_that_is_done_or_taken_is_refused(store: RunStore) -> None:
    run = store.create(conduct("done"))
    assert work_on(run).wait() == 0
    assert work_on(run).wait() == 2
    taken = store.create(conduct("long"))
    first = work_on(taken)
    wait_for(lambda: trained_by(taken))
    assert work_on(taken).wait() == 2
    first.terminate()
    first.wait()
    assert len(trained_by(taken)) == 1


def test_queue_is_trained_one_after_another_oldest_first(store: RunStore) -> None:
    runs = [queue.submit(conduct(f"done {i}"), store) for i in range(3)]
    wait_for(lambda: all(ended(run) for run in runs))
    assert [run.status.state for run in runs] == [RunStatus.DONE] * 3
    times = [run.status for run in runs]
    order = sorted(runs, key=lambda run: run.id)
    assert [r.id for r in sorted(runs, key=lambda r: r.status.started)] == [
        r.id for r in order
    ]
    for before, after in zip(order, order[1:], strict=False):
        assert before.status.ended <= after.status.started
    assert all(status.attempt == 1 for status in times)


def test_two_devices_train_two_runs_at_once(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu,cpu2")
    monkeypatch.setattr(queue, "START_SECONDS", 0.5)
    devices.available.cache_clear()
    runs = [queue.submit(conduct("long"), store) for _ in range(3)]

    def running() -> list[Run]:
        queue.ensure_worker(store)
        return [run for run in runs if run.status.state is RunStatus.RUNNING]

    wait_for(lambda: len(running()) == 2)
    assert {run.status.device for run in running()} == {"CPU", "CPU2"}
    waiting = next(run for run in runs if run not in running())
    queue.stop(waiting)
    assert waiting.status.message == "Stopped before it began."
    for run in running():
        queue.stop(run)
    wait_for(lambda: all(ended(run) for run in runs))
    assert trained_by(waiting) == []


def test_two_shells_never_train_a_run_twice(store: RunStore) -> None:
    runs = [store.create(conduct("done")) for _ in range(4)]
    with Lock(store.root / "shells.lock", shared=True):
        command = [*stub_worker.WORKER, "--idle", str(store.root)]
        workers = [subprocess.Popen(command) for _ in range(4)]
        wait_for(lambda: all(ended(run) for run in runs))
    assert all(len(trained_by(run)) == 1 for run in runs)
    assert len({trained_by(run)[0] for run in runs}) == 4  # One process per run.
    for worker in workers:
        worker.wait(timeout=20)


def test_idle_worker_takes_a_run_at_once_and_a_successor_follows(
    store: RunStore,
) -> None:
    queue.ensure_worker(store)
    wait_for(lambda: queue.idle_worker_ready(store))
    (worker,) = queue._children
    run = queue.submit(conduct("done"), store)
    wait_for(lambda: trained_by(run))
    assert trained_by(run) == [worker.pid]
    assert len(queue._children) == 1


def test_idle_worker_ends_when_no_shell_is_left(store: RunStore) -> None:
    queue.ensure_worker(store)
    wait_for(lambda: queue.idle_worker_ready(store))
    release_shell(store)
    (worker,) = queue._children
    assert worker.wait(timeout=20) == 0
    assert not locked(store.root / "idle.lock")


def test_an_idle_worker_gives_way_when_the_program_is_updated(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(conduct("done"))
    started: list[RunStore] = []
    monkeypatch.setattr(queue, "start_worker", started.append)
    versions = iter([{"worker.py": 1}])
    newer = {"worker.py": 2}
    monkeypatch.setattr(at_work, "program_stamps", lambda: next(versions, newer))
    monkeypatch.setattr(claims, "claim_next", lambda store: None)
    for load in ("_load_tensorflow", "_load_training", "_build_features"):
        monkeypatch.setattr(at_work, load, lambda: None)
    assert at_work.wait_and_train(store) == 0
    assert run.status.state is RunStatus.QUEUED
    assert started == [store]  # The successor takes what waits.
    assert not locked(store.root / "idle.lock")


def test_training_outlives_the_shell_that_started_it(store: RunStore) -> None:
    shell = (
        "import time; from medmodel.runs import queue;"
        "from medmodel.runs.run_store import RunStore;"
        "from medmodel.core.config import TrainConfig; from tests import stub_worker;"
        "queue.WORKER = stub_worker.WORKER;"
        "queue.submit(TrainConfig(dataset='/data', name='long'), RunStore());"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", shell], cwd=Path(__file__).parents[1]
    )
    wait_for(lambda: store.list() and trained_by(store.list()[0]))
    process.kill()
    process.wait()
    (run,) = store.list()
    assert run.alive
    worker = (read_json(run.folder / "worker.json"))["pid"]
    assert os.getsid(worker) == worker  # Its own session: Ctrl-C does not reach it.
    assert psutil.Process(worker).nice() == 19
    queue.stop(run)
    wait_for(lambda: ended(run))


def test_a_run_for_a_device_that_is_not_there_fails_with_words(
    store: RunStore,
) -> None:
    run = queue.submit(conduct("done", device="gpu:7"), store)
    wait_for(lambda: ended(run))
    assert run.status.state is RunStatus.FAILED
    assert "no device gpu:7" in run.status.message
    assert work_on(run).wait() == 2


def test_a_run_in_a_folder_that_became_read_only_is_left_with_words(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = store.create(conduct("done"))
    lock = str(run.folder / "lock")

    def read_only(run: Run) -> None:
        raise OSError(errno.EROFS, "Read-only file system", lock)

    monkeypatch.setattr(claims, "claim_run", read_only)
    monkeypatch.setattr(os, "nice", lambda by: 19)
    assert at_work.main([str(run.folder)]) == 2
    assert lock in capsys.readouterr().err
    assert run.status.state is RunStatus.QUEUED


def test_a_real_run_from_the_command_line(workspace: Path, class_folders: Path) -> None:
    config = config_for(
        "compact", str(class_folders), size=28, epochs=1, precision="float32"
    )
    run = RunStore().create(config)
    command = [sys.executable, "-m", "medmodel.worker", str(run.folder)]
    assert subprocess.run(command, timeout=400).returncode == 0, run.status.failure
    assert run.status.state is RunStatus.DONE
    assert run.model_facts.class_names == ["dark", "light"]
    for name in ("predictions.csv", "history.csv", "steps.csv", "environment.json"):
        assert (run.folder / name).stat().st_size > 0
