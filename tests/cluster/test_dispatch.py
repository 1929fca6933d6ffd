"""What becomes of runs on a cluster: every state of Ray."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from medmodel.cluster import __main__ as process
from medmodel.cluster import dispatch
from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.records import sent_run
from medmodel.core.storage import read_as
from medmodel.runs import claims, queue
from medmodel.runs import run as run_files
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.cluster.sent_runs import Clock, Told, end, job_of, sent, submitted, taken
from tests.stub_head import StubHead


def test_as_many_are_sent_as_there_is_room_for(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    runs = submitted(5)
    dispatcher.look()
    dispatcher.look()
    first, *next_ones, last = runs
    # Both nodes may become free at once.
    assert [job["submission_id"] for job in stub.submitted] == [
        f"medmodel-{run.id}-1" for run in (first, *next_ones)
    ]
    assert first.status.message == "Sent to the cluster: waits for a free node."
    assert last.status.message == "Waiting for its turn."
    end(taken(first), RunStatus.DONE, clock.now)
    stub.jobs[job_of(first)] = "SUCCEEDED"
    dispatcher.look()
    dispatcher.look()
    assert job_of(last) in stub.jobs and sent_run(first).over
    assert not dispatcher.idle


def test_the_job_is_the_worker_and_names_no_secret(
    dispatcher: Dispatcher, stub: StubHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "hush")
    monkeypatch.setenv("MEDMODEL_WEBHOOK", "http://hush")
    monkeypatch.setenv("MEDMODEL_RAY_PYTHON", "/opt/py thon")
    run = sent(dispatcher)
    (job,) = stub.submitted
    assert "hush" not in str(job)
    command = shlex.split(job["entrypoint"])
    assert command[:3] == ["/opt/py thon", "-m", "medmodel.cluster.driver"]
    assert command[3:8] == ["--cpus", "1", "--gpus", "0", "--"]
    assert command[8:] == [
        *("/opt/py thon", "-m", "medmodel.worker"),
        *(str(run.folder), "--reserved"),
    ]
    environment = job["runtime_env"]["env_vars"]
    assert environment["MEDMODEL_WORKSPACE"] == str(RunStore().root)
    assert "MEDMODEL_DATA" in environment and "MEDMODEL_RAY" not in environment


def test_a_run_that_no_node_is_large_enough_for_says_so(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    (run,) = submitted(device="gpu:0")
    dispatcher.look()
    assert run.status.message == "Sent to the cluster: no node has what it needs."
    stub.nodes = [(4, 1)]
    dispatcher.look()
    assert run.status.message == "Sent to the cluster: waits for a free node."


def test_runs_that_no_node_fits_let_others_pass(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    unfit, unfit_too = submitted(2, device="gpu:0")
    fitting = submitted(5)
    for _look in range(2):
        dispatcher.look()
    # One, so that a cluster that grows sees what is wanted.
    assert [job["submission_id"] for job in stub.submitted] == [
        f"medmodel-{run.id}-1" for run in (unfit, *fitting[:4])
    ]
    assert unfit.status.message == "Sent to the cluster: no node has what it needs."
    assert unfit_too.status.message == (
        "No node of the cluster has what it needs: runs behind it go first."
    )
    assert unfit_too.status.state is RunStatus.QUEUED
    stub.nodes = [(1, 0), (1, 0), (2, 2)]
    stub.jobs[job_of(fitting[0])] = stub.jobs[job_of(fitting[1])] = "STOPPED"
    for _look in range(2):
        dispatcher.look()
    assert unfit_too.status.message == "Sent to the cluster: waits for a free node."


def test_a_run_that_a_new_node_fits_says_no_more_that_none_does(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    _unfit, passed = submitted(2, device="gpu:0")
    submitted(9)
    dispatcher.look()
    assert "no node" in passed.status.message.lower()
    stub.nodes = [(1, 0), (1, 0), (2, 2)]
    for job in stub.jobs:
        stub.jobs[job] = "RUNNING"
    for _look in range(2):
        dispatcher.look()
    assert passed.status.message == "Waiting for its turn."


def test_files_of_runs_that_were_passed_over_are_not_read_every_second(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = submitted(20, device="gpu:0")
    dispatcher.look()
    read: list[Path] = []

    def counted(path: Path, kind: type) -> Any:
        read.append(path)
        return read_as(path, kind)

    monkeypatch.setattr(run_files, "read_as", counted)
    dispatcher.look()
    assert {path.parent for path in read} == {runs[0].folder}  # it was handed in


@pytest.mark.parametrize(
    ("state", "becomes", "message"),
    [
        ("PENDING", RunStatus.QUEUED, "waits for a free node"),
        ("RUNNING", RunStatus.QUEUED, "waits for a free node"),
        ("STOPPED", RunStatus.STOPPED, "Stopped on the cluster."),
        ("FAILED", RunStatus.FAILED, "The cluster could not start it."),
        ("SUCCEEDED", RunStatus.FAILED, "The cluster could not start it."),
    ],
)
def test_states_of_a_job_that_no_worker_has_taken(
    dispatcher: Dispatcher,
    stub: StubHead,
    told: Told,
    state: str,
    becomes: RunStatus,
    message: str,
) -> None:
    run = sent(dispatcher)
    stub.jobs[job_of(run)] = state
    dispatcher.look()
    if becomes is RunStatus.FAILED:
        assert told.get(timeout=10) == (run.id, RunStatus.FAILED, "cluster")
    assert told.empty()
    status = run.status
    assert status.state is becomes and message in status.message
    assert (status.failure is not None) == (becomes is RunStatus.FAILED)
    if status.failure:
        assert "same paths" in status.failure.advice
        assert f"it is {state}" in (run.folder / "log.txt").read_text()
    assert sent_run(run).over is (not becomes.active)


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "STOPPED", "FAILED", None])
def test_a_run_at_work_says_itself_how_it_is(
    dispatcher: Dispatcher, stub: StubHead, state: str | None, clock: Clock
) -> None:
    run = sent(dispatcher)
    claim = taken(run)
    if state is None:
        stub.jobs.clear()
    else:
        stub.jobs[job_of(run)] = state
    dispatcher.look()
    assert run.status.state is RunStatus.RUNNING and run.alive
    end(claim, RunStatus.DONE, clock.now)


def test_what_is_stopped_before_a_node_takes_it_leaves_the_cluster(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    queue.stop(run)
    clock.now = run.status.ended + 2 * dispatch.ENDING_SECONDS
    dispatcher.look()
    assert stub.jobs[job_of(run)] == "STOPPED" and dispatcher.idle
    assert run.status.message == "Stopped before it began."
    queue.resume(run, RunStore())
    dispatcher.look()
    dispatcher.look()
    assert job_of(run) == f"medmodel-{run.id}-2"
    assert stub.jobs[job_of(run)] == "PENDING"


def test_what_is_deleted_leaves_the_cluster(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    run = sent(dispatcher)
    job = job_of(run)
    queue.delete(run, RunStore())
    dispatcher.look()
    assert stub.jobs[job] == "STOPPED" and not run.folder.exists()


def test_a_worker_that_does_not_stop_is_ended_by_the_cluster(
    dispatcher: Dispatcher,
    stub: StubHead,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = sent(dispatcher)
    stub.jobs[job_of(run)] = "RUNNING"
    claim = taken(run, "gpu-03 (1a2b3c4d)")
    assert queue.node_of(run) == "gpu-03 (1a2b3c4d)"
    queue.stop(run)
    dispatcher.look()
    assert run.stop_requested and stub.jobs[job_of(run)] == "RUNNING"
    monkeypatch.setattr(queue, "STOP_SECONDS", 0.0)
    queue.stop(run)
    dispatcher.look()
    assert stub.jobs[job_of(run)] == "STOPPED"
    claim.lock.release()
    dispatcher.look()
    assert run.status.state is RunStatus.STOPPED
    assert run.status.message == "Stopped by force."
    queue.resume(run, RunStore())
    assert not run.kill_requested and not run.stop_requested


def test_nobody_else_takes_runs_while_they_go_to_a_cluster(stub: StubHead) -> None:
    store = RunStore()
    submitted()
    lock = queue.dispatcher_lock(store)
    assert lock.acquire()
    assert queue.dispatched(store) and claims.claim_next(store) is None
    lock.release()
    claim = claims.claim_next(store)
    assert claim is not None
    for held in (claim.lock, *claim.device_locks):
        held.release()


def test_without_a_cluster_no_run_says_that_it_waits_for_one(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = submitted(2)
    dispatcher.look()
    assert "cluster" in runs[1].status.message
    monkeypatch.delenv("MEDMODEL_RAY")
    claim = claims.claim_next(RunStore())
    assert claim is not None and claims.claim_next(RunStore()) is None
    assert runs[1].status.message == "Waiting for its turn."
    for held in (claim.lock, *claim.device_locks):
        held.release()


def test_a_reserved_run_is_taken_once_and_never_after_its_end(stub: StubHead) -> None:
    (run,) = submitted()
    claim = taken(run)
    assert not claim.device_locks  # another node's processor is not this one's
    assert claims.claim_reserved(run) is None
    end(claim, RunStatus.STOPPED, 1e9)
    with pytest.raises(queue.RunError, match="ended already"):
        claims.claim_reserved(run)


def test_the_process_ends_with_the_last_shell(
    stub: StubHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(process.os, "nice", lambda by: 0)
    RunStore().root.mkdir(parents=True)
    assert process.main([str(RunStore().root)]) == 0
    assert not queue.dispatched(RunStore())


def test_an_address_that_is_none_is_said_where_runs_wait(
    stub: StubHead,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (run,) = submitted()
    monkeypatch.setenv("MEDMODEL_RAY", "head:8265")
    monkeypatch.setattr(process.os, "nice", lambda by: 0)
    assert process.main([str(RunStore().root)]) == 1
    assert run.status.message in capsys.readouterr().err
    assert "looks like http://head:8265" in run.status.message
