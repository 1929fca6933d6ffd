"""`medmodel resume`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medmodel.cli import watch
from medmodel.core.config import TrainConfig
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from tests.cli.conftest import Invoke
from tests.finished_run import create_ended


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that was stopped; no worker comes."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    run = create_ended(TrainConfig("/data", name="early"))
    run.write_status(Status(RunStatus.STOPPED))
    return run


def test_it_waits_again(
    stopped: Run, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    said = invoke("resume", stopped.id).stdout
    assert f"Queued {stopped.id}: early" in said and "medmodel watch" in said
    assert stopped.status.state is RunStatus.QUEUED
    stopped.write_status(Status(RunStatus.FAILED))
    (values,) = json_of("resume", stopped.id)["runs"]
    assert values["state"] == "queued"


@pytest.mark.parametrize(
    ("state", "status"), [(RunStatus.DONE, 0), (RunStatus.FAILED, 1)]
)
def test_waiting_until_the_end(
    state: RunStatus,
    status: int,
    stopped: Run,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(store: RunStore) -> None:
        stopped.write_status(replace(stopped.status, state=state))

    monkeypatch.setattr(queue, "ensure_worker", end)
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.0)
    said = invoke("resume", stopped.id, "--watch", status=status)
    assert ("is done" in said.stdout) == (status == 0)


def test_one_that_is_done(invoke: Invoke) -> None:
    run = create_ended(TrainConfig("/data"))
    said = invoke("resume", run.id, status=1).stderr
    assert "only what was stopped" in said
