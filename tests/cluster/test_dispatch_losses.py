"""What becomes of runs on a cluster when a node, a worker or the head is lost."""

from __future__ import annotations

import pytest

from medmodel.cluster import __main__ as process
from medmodel.cluster import dispatch
from medmodel.cluster.dispatch import Dispatcher
from medmodel.cluster.head import Head
from medmodel.cluster.records import cluster_state, sent_run
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.cluster.sent_runs import Clock, Told, end, job_of, sent, submitted, taken
from tests.stub_head import StubHead


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


@pytest.mark.parametrize("lost", [0, 1])
def test_resumed_before_anybody_looked_at_its_job(
    dispatcher: Dispatcher, stub: StubHead, lost: int
) -> None:
    run = sent(dispatcher)
    for _time in range(lost):
        stub.jobs.clear()
        dispatcher.look()
    end(taken(run), RunStatus.STOPPED, 1e9)
    stub.jobs[job_of(run)] = "SUCCEEDED"
    queue.resume(run, RunStore())
    dispatcher.look()
    dispatcher.look()
    assert len(stub.submitted) == 2 + lost
    assert run.status.state is RunStatus.QUEUED


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
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    (run,) = submitted()
    stub.failing["/api/jobs/"] = (500, "No available agent")
    for _look in range(2 * dispatch.MOST_LOST):
        dispatcher.look()
    assert run.status.state is RunStatus.QUEUED
    known = cluster_state(RunStore())
    assert known and "HTTP status 500" in known.problem
    stub.failing.clear()
    clock.now += dispatch.LATER_SECONDS
    dispatcher.look()
    assert job_of(run) == f"medmodel-{run.id}-1" and job_of(run) in stub.jobs


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


@pytest.mark.parametrize("answer", [(500, "Traceback"), (400, ""), (200, "[1]")])
def test_a_run_that_the_head_does_not_take_holds_up_no_other(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock, answer: tuple[int, str]
) -> None:
    refused, *others = submitted(5)
    stub.refused[f"medmodel-{refused.id}-1"] = answer
    dispatcher.look()
    assert all(job_of(run) in stub.jobs for run in others)
    assert answer[0] == 200 or f"HTTP status {answer[0]}" in refused.status.message
    assert refused.status.message != others[0].status.message
    known = cluster_state(RunStore())
    assert known and not known.problem  # of the cluster
    stub.refused.clear()
    stub.jobs = dict.fromkeys(stub.jobs, "STOPPED")
    clock.now += dispatch.LATER_SECONDS
    for _look in range(2):
        dispatcher.look()
    assert stub.jobs[job_of(refused)] == "PENDING"


def test_many_that_the_head_does_not_take_hold_up_nothing_behind_them(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    per_wait = int(dispatch.LATER_SECONDS) * dispatch.MOST_REFUSED
    *refused, last = submitted(per_wait + 2)
    stub.refused = {f"medmodel-{run.id}-1": (400, "") for run in refused}
    for _second in range(int(dispatch.LATER_SECONDS) + 2):
        dispatcher.look()
        clock.now += 1
    assert job_of(last) in stub.jobs
    # Nor are they forgotten: one is tried at every look, whatever waits behind.
    stub.refused.clear()
    stub.jobs = dict.fromkeys(stub.jobs, "STOPPED")
    submitted(20)
    clock.now += dispatch.LATER_SECONDS
    for _look in range(2):
        dispatcher.look()
    assert any(job_of(run) in stub.jobs for run in refused)


def test_a_job_that_cannot_be_looked_at_holds_up_no_other(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    first, second = submitted(2)
    dispatcher.look()
    stub.failing[f"/api/jobs/{job_of(first)}"] = (500, "Traceback")
    stub.jobs[job_of(second)] = "STOPPED"
    assert dispatcher.look()
    assert second.status.state is RunStatus.STOPPED
    assert "HTTP status 500" in first.status.message
    stub.failing.clear()
    dispatcher.look()
    assert first.status.message == "Sent to the cluster: waits for a free node."


def test_a_head_that_takes_nothing_is_not_asked_for_every_run(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    submitted(9)
    stub.nodes = [(1, 0)] * 20
    stub.failing["/api/jobs/"] = (500, "No available agent")
    for _look in range(2):
        before = stub.asked
        assert not dispatcher.look()
        # Whether it has the job is asked, too; and the nodes.
        assert stub.asked - before <= 1 + 2 * dispatch.MOST_REFUSED
    stub.failing.clear()
    clock.now += dispatch.LATER_SECONDS
    dispatcher.look()
    assert len(stub.jobs) == 9


def test_it_is_counted_how_often_a_run_was_lost_though_the_head_was_away(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock
) -> None:
    run = sent(dispatcher)
    for _time in range(dispatch.MOST_LOST + 1):
        stub.jobs.clear()
        stub.failing["/api/jobs/"] = (500, "starting")
        dispatcher.look()
        stub.failing["/api/v0"] = (503, "")
        dispatcher.look()
        stub.failing.clear()
        clock.now += dispatch.LATER_SECONDS
        dispatcher.look()
    assert run.status.message == "The cluster lost it several times."


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_worker_has_time_to_end_whatever_the_clock_of_its_node_says(
    dispatcher: Dispatcher, stub: StubHead, clock: Clock, skew: float
) -> None:
    run = sent(dispatcher)
    stub.jobs[job_of(run)] = "RUNNING"
    end(taken(run), RunStatus.DONE, clock.now + skew)
    dispatcher.look()
    assert stub.jobs[job_of(run)] == "RUNNING"
    clock.now += 2 * dispatch.ENDING_SECONDS
    dispatcher.look()
    assert stub.jobs[job_of(run)] == "STOPPED" and dispatcher.idle
