"""`medmodel watch`: what it shows, when it ends, and with what status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from medmodel.cli import watch
from medmodel.core.config import TrainConfig
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status
from medmodel.runs.tables.curves import append_epoch
from tests.cli.conftest import Invoke

Steps = Callable[..., Run]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """A run that a worker holds; each look at the queue makes its next step."""
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(watch, "_QUEUE_EVERY", -1.0)
    held = []

    def start(*changes: Callable[[Run], None]) -> Run:
        run = RunStore().create(TrainConfig("/data", name="watched", epochs=2))
        lock = run.lock
        assert lock.acquire()
        held.append(lock)
        remaining = list(changes)

        def step(store: RunStore) -> None:
            remaining.pop(0)(run)

        monkeypatch.setattr(queue, "ensure_worker", step)
        return run

    yield start
    for lock in held:
        lock.release()


def status_of(**values: Any) -> Callable[[Run], None]:
    def write(run: Run) -> None:
        run.write_status(replace(Status(RunStatus.RUNNING), **values))

    return write


def finished_epoch(run: Run) -> None:
    numbers = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.25, "val_accuracy": 1.0}
    append_epoch(run, {"attempt": 1, "epoch": 1, "step": 9, **numbers})
    status_of(phase="training", message="Training.", epoch=1, epochs=2)(run)


def ended(state: RunStatus, **values: Any) -> Callable[[Run], None]:
    return status_of(state=state, phase="finished", message="", **values)


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("state", list(RunStatus))
def test_the_exit_status_says_how_it_ended(state: RunStatus, invoke: Invoke) -> None:
    if state.active:
        return
    run = RunStore().create(TrainConfig("/data"))
    run.write_status(Status(state))
    status = 0 if state is RunStatus.DONE else 1
    invoke("watch", run.id, status=status)
    (line,) = lines_of(invoke("watch", run.id, "--json", status=status).stdout)
    assert line["run"] == run.id and line["state"] == state.value


def test_what_never_trained_has_no_best_epoch(invoke: Invoke) -> None:
    """A test elsewhere was "done: best epoch 0"."""
    run = RunStore().create(TrainConfig("/data"))
    run.write_status(Status(RunStatus.DONE))
    lines = invoke("watch", run.id).stdout.splitlines()
    assert lines[-2:] == [
        f"{run.id} is done.",
        f"Evaluate it: medmodel evaluate {run.id}",
    ]


def test_lines_until_the_end(steps: Steps, invoke: Invoke) -> None:
    run = steps(
        status_of(phase="checking", message="Checking the data."),
        status_of(phase="checking", message="Checking the data.", heartbeat=7.0),
        finished_epoch,
        finished_epoch,
        ended(RunStatus.DONE, best_epoch=1),
    )
    assert invoke("watch").stdout.splitlines() == [
        "Waiting for its turn.",
        "Checking the data.",
        "Epoch 1 of 2: loss 0.5000, validation loss 0.2500, validation accuracy 1.0000",
        f"{run.id} is done: best epoch 1.",
        f"Evaluate it: medmodel evaluate {run.id}",
    ]


def test_json_is_a_line_for_each_change(steps: Steps, invoke: Invoke) -> None:
    run = steps(
        status_of(phase="checking", message="Checking the data.", share=0.1),
        status_of(phase="checking", message="Checking the data.", share=0.1),
        finished_epoch,
        ended(RunStatus.FAILED, failure=Failure("data", "No.", "Try.")),
    )
    lines = lines_of(invoke("watch", run.id, "--json", status=1).stdout)
    assert [line["phase"] for line in lines] == [
        *("waiting", "checking", "training", "finished"),
    ]
    assert lines[1]["share"] == 0.1 and lines[1]["last_epoch"] is None
    assert lines[2]["last_epoch"]["val_loss"] == 0.25
    assert lines[2]["last_epoch"]["learning_rate"] is None
    assert lines[3]["failure"] == {"kind": "data", "message": "No.", "advice": "Try."}


def test_a_failure_is_told_with_its_advice(steps: Steps, invoke: Invoke) -> None:
    run = steps(ended(RunStatus.FAILED, failure=Failure("data", "It broke.", "Mend.")))
    said = invoke("watch", run.id, status=1)
    assert "It broke. Mend." in said.stderr and "is done" not in said.stdout


def test_a_worker_that_was_killed(invoke: Invoke) -> None:
    run = RunStore().create(TrainConfig("/data"))
    run.write_status(Status(RunStatus.RUNNING))  # nobody holds its lock
    assert "interrupted" in invoke("watch", run.id, status=1).stderr


def test_the_oldest_at_work_where_none_is_named(steps: Steps, invoke: Invoke) -> None:
    run = steps(ended(RunStatus.DONE))
    RunStore().create(TrainConfig("/data", name="later"))
    assert f"{run.id} is done" in invoke("watch").stdout


def test_nothing_to_watch(invoke: Invoke) -> None:
    assert "No run and no batch waits or works" in invoke("watch", status=1).stderr
    assert "no run" in invoke("watch", "20260101-000000-abc", status=2).stderr


def test_ctrl_c_ends_the_watching_alone(steps: Steps, invoke: Invoke) -> None:
    def interrupt(run: Run) -> None:
        raise KeyboardInterrupt

    run = steps(interrupt)
    said = invoke("watch", run.id, status=130).stderr
    assert f"It goes on. Watch it again: medmodel watch {run.id}" in said
    assert f"stop it: medmodel stop {run.id}" in said
    assert not run.stop_requested


def test_what_stands_beside_the_bar() -> None:
    status = Status(RunStatus.RUNNING, message="Training.", seconds_left=61.0)
    assert watch._words(status) == "Training. About 1 min 1 s left."
    assert watch._words(replace(status, seconds_left=0.5)) == "Training."
    assert watch._words(replace(status, seconds_left=None)) == "Training."


@pytest.mark.parametrize(("seconds", "lines"), [(10.0, 1), (0.0, 3)])
def test_a_phase_gets_a_line_now_and_then(
    seconds: float,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(watch, "LINE_EVERY", seconds)
    look = watch._shown_by(lambda share, text: None, False)
    for done in range(3):
        look(Status(RunStatus.RUNNING, "checking", f"{done} of 3 files."), None)
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_in_a_terminal_the_bar_stands_for_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[tuple[float, str]] = []
    monkeypatch.setattr(watch, "bar_is_shown", lambda: True)
    look = watch._shown_by(lambda share, text: shown.append((share, text)), False)
    look(Status(RunStatus.RUNNING, message="Training.", share=0.5), None)
    assert shown == [(0.5, "Training.")] and capsys.readouterr().out == ""
