"""Background tasks: alive by their lock, one at a time, each end told in a sentence."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from medmodel.core.environment import REPOSITORY, python_environment
from medmodel.core.errors import DataError
from medmodel.core.locks import Lock
from medmodel.core.processes import background
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.core.storage import read_json, write_json


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackgroundTask:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    return BackgroundTask(
        arguments=("medmodel.nothing", "x"),
        state_path=tmp_path / "state.json",
        lock_path=tmp_path / "lock",
        log_path=tmp_path / "log.txt",
        interrupted="It was interrupted.",
        unusable="The disk cannot be used",
        folder="/data/x",
    )


def test_never_started(task: BackgroundTask) -> None:
    assert task.state() == TaskState()


def test_alive_as_long_as_the_lock_is_held(task: BackgroundTask) -> None:
    task.write("checking", done=5, total=9)
    with Lock(task.lock_path):
        state = task.state()
    assert state == TaskState("checking", 5, 9, folder="/data/x", running=True)
    state = task.state()
    assert not state.running and state.error == "It was interrupted."


@pytest.mark.parametrize(
    ("age", "running"), [(5, True), (-5, True), (25, False), (-25, False)]
)
def test_a_process_that_comes_up_has_a_while(
    task: BackgroundTask, age: float, running: bool
) -> None:
    """A clock that was put back lets nothing run for ever."""
    task.write("starting", started=time.time() - age)
    assert task.state().running is running
    assert bool(task.state().error) is not running


@pytest.mark.parametrize("phase", ["finished", "failed", "stopped"])
def test_an_end_is_no_interruption(task: BackgroundTask, phase: str) -> None:
    task.write(phase, error="A reason.")
    assert task.state() == TaskState(phase, error="A reason.", folder="/data/x")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_damaged_state_is_none(task: BackgroundTask, text: str) -> None:
    task.state_path.write_text(text)
    assert task.state() == TaskState()


def test_fields_of_another_type_are_left_out(task: BackgroundTask) -> None:
    write_json(task.state_path, {"phase": "failed", "done": "5", "error": 3, "x": 1})
    assert task.state() == TaskState("failed")


def test_one_process_at_a_time(
    task: BackgroundTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Process)
    task.start()
    task.start()
    assert [command[1:] for command in commands] == [["-m", "medmodel.nothing", "x"]]
    assert task.state().running
    task.write("finished")
    with Lock(task.lock_path):
        task.start()
    assert len(commands) == 1
    task.start()
    assert len(commands) == 2


def test_progress_is_written_now_and_then(
    task: BackgroundTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    job = task.job()
    job.progress("checking", 1, 9)
    now += 0.1
    job.progress("checking", 2, 9)
    assert read_json(task.state_path)["done"] == 1
    now += 0.15
    job.progress("checking", 3, 9)
    assert json.loads(task.state_path.read_text()) == {
        "phase": "checking",
        "folder": "/data/x",
        "done": 3,
        "total": 9,
    }


@pytest.mark.parametrize(
    ("error", "raised", "sentence"),
    [
        (DataError("No class."), SystemExit, "No class."),
        (OSError(28, "No space"), SystemExit, "The disk cannot be used: No space."),
        (ZeroDivisionError(), ZeroDivisionError, "There is a mistake in this program."),
    ],
)
def test_what_goes_wrong_is_told(
    task: BackgroundTask,
    error: Exception,
    raised: type[BaseException],
    sentence: str,
) -> None:
    def work() -> None:
        assert not Lock(task.lock_path).acquire()
        raise error

    with pytest.raises(raised) as caught:
        task.run(work)
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 1
    assert task.state() == TaskState("failed", error=sentence, folder="/data/x")


def test_it_ends_when_it_is_asked_to(task: BackgroundTask) -> None:
    reached: list[str] = []

    def work() -> None:
        job = task.job()
        job.check()
        reached.append("first")
        task.stop()
        assert task.stop_requested
        job.check()
        reached.append("second")

    task.run(work)
    assert reached == ["first"]
    assert task.state() == TaskState("stopped", folder="/data/x")
    assert not task.stop_requested


def test_a_wish_to_end_it_is_not_left_to_the_next(
    task: BackgroundTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.stop()  # nothing runs
    assert not task.stop_requested
    with Lock(task.lock_path):
        task.stop()  # and then its process was killed
    assert task.stop_requested
    monkeypatch.setattr(subprocess, "Popen", Mock())
    task.start()
    assert not task.stop_requested


def test_no_work_where_another_process_does_it(task: BackgroundTask) -> None:
    calls: list[str] = []
    with Lock(task.lock_path):
        task.run(lambda: calls.append("twice"))
    task.run(lambda: calls.append("once"))
    assert calls == ["once"]
    assert not task.state().running


def test_children_find_package_and_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    environment = python_environment()
    assert environment["PYTHONPATH"] == f"{REPOSITORY}{os.pathsep}/mine"
    assert environment["MEDMODEL_WORKSPACE"] == str(workspace)
    monkeypatch.delenv("PYTHONPATH")
    assert python_environment()["PYTHONPATH"] == str(REPOSITORY)


def test_what_it_prints_is_not_written_through_a_link(
    task: BackgroundTask, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    task.log_path.symlink_to(outside)
    task.start()
    background._processes[-1].wait()
    assert b"medmodel.nothing" in task.log_path.read_bytes()
    assert outside.read_bytes() == b"secret"
