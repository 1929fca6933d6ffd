"""`medmodel stop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from tests.cli.conftest import Invoke
from tests.finished_run import create_ended


def test_a_waiting_run_leaves_the_queue(
    invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    run = RunStore().create(TrainConfig("/data"))
    assert f"{run.id}: stopped." in invoke("stop", run.id).stdout
    other = RunStore().create(TrainConfig("/data"))
    (values,) = json_of("stop", "latest")["runs"]
    assert (values["run"], values["state"]) == (other.id, "stopped")


def test_a_worker_is_asked(invoke: Invoke) -> None:
    run = RunStore().create(TrainConfig("/data"))
    run.write_status(Status(RunStatus.RUNNING))
    with run.lock:
        assert "after its current step" in invoke("stop", run.id).stdout
        assert run.stop_requested


def test_one_that_has_ended(invoke: Invoke) -> None:
    run = create_ended(TrainConfig("/data"))
    assert "has ended already" in invoke("stop", run.id, status=1).stderr
