"""What becomes of runs on a cluster: every state of Ray, whatever is lost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from medmodel.cluster import __main__ as process
from medmodel.cluster import dispatch
from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.head import Head
from medmodel.cluster.records import cluster_state, sent_run
from medmodel.core.config import TrainConfig
from medmodel.runs import claims, queue, webhook
from medmodel.runs.claims import Claim
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status import RunStatus
from tests.stub_head import StubHead, stub_head

Told = SimpleQueue[tuple[str, RunStatus, str]]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubHead]:
    """A head, to which runs of this workspace go; no process is started."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu")
    with stub_head() as head:
        monkeypatch.setenv("MEDMODEL_RAY", head.address)
        yield head


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the webhook is told."""
    messages: Told = SimpleQueue()
    monkeypatch.setattr(webhook, "notify", lambda *facts: messages.put(facts))
    return messages


class Clock:
    """Seconds, as a test wants them."""

    now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(stub: StubHead, clock: Clock, workspace: Path) -> Dispatcher:
    return Dispatcher(RunStore(), Head(stub.address), clock)


def submitted(count: int = 1, device: str = "auto") -> list[Run]:
    config = TrainConfig(dataset="/data", device=device)
    return [queue.submit(config, RunStore()) for _number in range(count)]


def sent(dispatcher: Dispatcher) -> Run:
    """A run that was handed in."""
    (run,) = submitted()
    dispatcher.look()
    return run


def taken(run: Run, node: str = "") -> Claim:
    """What a worker on a node does first."""
    claim = claims.claim_reserved(run, node)
    assert claim is not None
    return claim


def end(claim: Claim, state: RunStatus, ended: float) -> None:
    claim.run.write_status(replace(claim.run.status, state=state, ended=ended))
    claim.lock.release()


def job_of(run: Run) -> str:
    return sent_run(run).job


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


def test_a_lost_node_and_another_one_that_goes_on(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    stub.jobs[job_of(run)] = "RUNNING"
    taken(run).lock.release()  # as when its machine is gone
    dispatcher.look()
    assert run.status.state is RunStatus.INTERRUPTED
    clock.now += dispatch.LOST_SECONDS
    dispatcher.look()
    status = run.status
    assert status.state is RunStatus.QUEUED and "goes on there" in status.message
    dispatcher.look()
    assert run.status.message == status.message
    again = taken(run)
    assert run.status.attempt == 2 and len(stub.submitted) == 1
    end(again, RunStatus.DONE, clock.now)


def test_a_node_that_is_lost_too_often(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock, told: Told
) -> None:
    run = sent(dispatcher)
    taken(run).lock.release()
    dispatcher.look()
    clock.now += dispatch.LOST_SECONDS
    dispatcher.look()
    stub.jobs[job_of(run)] = "FAILED"
    dispatcher.look()
    status = run.status
    assert status.state is RunStatus.FAILED
    assert status.message == "The cluster lost it several times."
    # No worker could tell.
    assert told.get(timeout=10) == (run.id, RunStatus.FAILED, "cluster")


def test_a_worker_that_was_killed_on_a_node_that_lives(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    taken(run).lock.release()
    stub.jobs[job_of(run)] = "FAILED"
    dispatcher.look()
    clock.now += dispatch.LOST_SECONDS
    dispatcher.look()
    assert run.status.state is RunStatus.INTERRUPTED and sent_run(run).over
    queue.resume(run, RunStore())
    dispatcher.look()
    assert job_of(run) == f"medmodel-{run.id}-2"


def test_resumed_before_anybody_looked_at_its_job(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    run = sent(dispatcher)
    end(taken(run), RunStatus.STOPPED, 1e9)
    stub.jobs[job_of(run)] = "SUCCEEDED"
    queue.resume(run, RunStore())
    dispatcher.look()
    dispatcher.look()
    assert len(stub.submitted) == 2 and run.status.state is RunStatus.QUEUED


def test_a_head_that_has_forgotten_all_jobs_gets_them_again(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    for number in range(2, 2 + dispatch.MOST_LOST):
        stub.jobs.clear()
        dispatcher.look()
        assert job_of(run) == f"medmodel-{run.id}-{number}"
        assert run.status.state is RunStatus.QUEUED
    stub.jobs.clear()
    dispatcher.look()
    assert run.status.message == "The cluster lost it several times."
    assert dispatcher.idle
    queue.resume(run, RunStore())  # a person may try again
    dispatcher.look()
    assert run.status.state is RunStatus.QUEUED and sent_run(run).lost == 0


def test_a_head_restarts_under_a_run_at_work(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    taken(run).lock.release()
    stub.jobs.clear()
    dispatcher.look()
    clock.now += dispatch.LOST_SECONDS
    dispatcher.look()
    assert run.status.state is RunStatus.QUEUED and run.status.attempt == 1
    assert job_of(run) == f"medmodel-{run.id}-2"


def test_a_head_that_is_away(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    dispatcher.look()
    (run,) = submitted()
    stub.failing["/api/v0"] = (503, "")
    dispatcher.look()
    assert "refuses (HTTP status 503)" in run.status.message
    assert run.status.state is RunStatus.QUEUED and not dispatcher.idle
    known = cluster_state(RunStore())
    assert known and known.problem == run.status.message and len(known.nodes) == 2
    stub.failing.clear()
    dispatcher.look()
    known = cluster_state(RunStore())
    assert known and not known.problem
    assert run.status.message == "Sent to the cluster: waits for a free node."


def test_a_head_that_answers_again_is_no_problem_of_what_waits_behind(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    runs = submitted(5)
    stub.failing["/api/v0"] = (503, "")
    assert not dispatcher.look()
    assert all("refuses" in run.status.message for run in runs)
    stub.failing.clear()
    assert dispatcher.look()
    assert runs[4].status.message == "Waiting for its turn."
    assert not sent_run(runs[4]).job


def test_a_head_that_takes_no_job_at_the_moment(
    dispatcher: Dispatcher, stub: StubHead
) -> None:
    (run,) = submitted()
    stub.failing["/api/jobs/"] = (500, "No available agent")
    for _look in range(2 * dispatch.MOST_LOST):
        dispatcher.look()
    assert run.status.state is RunStatus.QUEUED
    known = cluster_state(RunStore())
    assert known and "HTTP status 500" in known.problem
    stub.failing.clear()
    dispatcher.look()
    assert job_of(run) == f"medmodel-{run.id}-1" and job_of(run) in stub.jobs


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


def test_another_process_goes_on_where_the_first_was_killed(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    another = Dispatcher(RunStore(), Head(stub.address), clock)
    another.look()
    assert len(stub.submitted) == 1 and not another.idle
    stub.jobs[job_of(run)] = "STOPPED"
    another.look()
    assert run.status.state is RunStatus.STOPPED


@pytest.mark.parametrize("file", ["status.json", "config.json", "lock"])
def test_a_damaged_run_keeps_nobody_waiting(
    dispatcher: Dispatcher, stub: StubHead, file: str
) -> None:
    first, second = submitted(2)
    (first.folder / "config.json").write_text("{")
    dispatcher.look()
    assert [job["submission_id"] for job in stub.submitted] == [
        f"medmodel-{second.id}-1"
    ]
    (second.folder / file).unlink(missing_ok=True)
    (second.folder / file).mkdir()
    dispatcher.look()
    assert stub.jobs[f"medmodel-{second.id}-1"] == "STOPPED"


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


def test_a_head_that_stays_away_is_asked_anew_by_who_is_there(
    stub: StubHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = submitted()  # this process is a shell now, perhaps with another address
    stub.failing["/api"] = (503, "")
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(process, "AWAY_SECONDS", 0.0)
    monkeypatch.setattr(process.os, "nice", lambda by: 0)
    assert queue.shell_present(RunStore())
    assert process.main([str(RunStore().root)]) == 0
    assert run.status.state is RunStatus.QUEUED and not queue.dispatched(RunStore())


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
