"""`medmodel list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import append_epoch
from tests.cli.conftest import Invoke
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.findings_folder import draw_findings_folder
from tests.findings_run import write_findings_run
from tests.finished_run import create_ended, write_finished_run
from tests.segmented_run import write_segmented_run


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


def test_scores_of_segmentations_and_of_several_findings(
    tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    """Each has the column of its own measure, where there is such a run."""
    outlined = write_segmented_run(draw_masked_folder(tmp_path / "masks"))
    found = write_findings_run(draw_findings_folder(tmp_path / "findings"))
    values = {"loss": 0.6, "auc": 0.7, "val_loss": 0.5, "val_auc": 0.8125}
    append_epoch(found, {"epoch": 1, **values})
    lines = {line["run"]: line for line in json_of("list")["runs"]}
    dice = lines[outlined.id]["test_dice"]
    assert 0 <= dice <= 1 and lines[outlined.id]["val_auc"] is None
    assert lines[found.id]["val_auc"] == 0.8125 and lines[found.id]["test_dice"] is None
    header, *rows = invoke("list").stdout.splitlines()
    assert "Test Dice" in header and "Validation mean AUC" in header
    assert "Test accuracy" not in header  # of which there is none
    assert any("0.812" in row for row in rows) and any(f"{dice:.3f}" in r for r in rows)


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
