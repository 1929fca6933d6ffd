"""`medmodel list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from tests.cli.conftest import Invoke
from tests.finished_run import create_ended, write_finished_run


def test_without_runs(
    workspace: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    said = invoke("list").stdout
    assert f"No run in {workspace}." in said and "medmodel train FOLDER" in said
    nothing = {"total": 0, "runs": [], "total_batches": 0, "batches": []}
    assert json_of("list") == {**nothing, "damaged": []}


def test_a_finished_run(
    class_folders: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    run = write_finished_run(class_folders, "first")
    (line,) = json_of("list")["runs"]
    assert line["run"] == run.id and line["title"] == "first"
    assert line["state"] == "done" and line["has_model"] is True
    assert line["dataset"] == str(class_folders) and line["test_of"] is None
    assert line["test_images"] == 16 and 0 <= line["test_accuracy"] <= 1
    assert line["created"].endswith("+00:00") and line["ended"] is None
    header, row = invoke("list").stdout.splitlines()
    assert header.split()[:3] == ["Run", "State", "Name"]
    assert row.split()[:3] == [run.id, "done", "first"]
    assert f"{line['test_accuracy']:.3f}" in row


def test_newest_first_limited_and_by_state(
    invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    runs = [create_ended(TrainConfig("/data", name=f"r{n}")) for n in range(3)]
    runs[1].write_status(Status(RunStatus.STOPPED))
    listed = json_of("list", "--limit", 2)
    assert [line["title"] for line in listed["runs"]] == ["r2", "r1"]
    assert listed["total"] == 3
    assert len(json_of("list", "--limit", 0)["runs"]) == 3
    stopped = json_of("list", "--state", "stopped")
    assert [line["title"] for line in stopped["runs"]] == ["r1"]
    assert stopped["total"] == 1
    assert "1 more run: medmodel list --limit 0" in invoke("list", "--limit", 2).stdout
    assert "more run" not in invoke("list", "--limit", 3).stdout
    assert "'lost' is not one of" in invoke("list", "--state", "lost", status=2).stderr


def test_a_damaged_run_is_named(invoke: Invoke, json_of: Callable[..., Any]) -> None:
    run = RunStore().create(TrainConfig("/data"))
    (run.folder / "status.json").write_text("{")
    (sentence,) = json_of("list")["damaged"]
    assert run.id in sentence
    assert run.id in invoke("list").stderr
