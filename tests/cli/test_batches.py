"""Batches beside the runs: listed, followed, stopped, resumed, their table written."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from medmodel.batch import jobs, table
from medmodel.batch.table import ImageRow
from medmodel.cli import watch
from medmodel.cli.batches import check_output
from medmodel.cli.parameters import RunOrBatchParameter
from medmodel.core.config import TrainConfig
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus
from tests.cli.conftest import Invoke
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.finished_run import create_ended, write_finished_run
from tests.segmented_batch import outline_bright, work_off
from tests.segmented_run import write_segmented_run

ROWS = [
    ImageRow("dark/dark_000.png", "dark", scores=[0.9, 0.1], unlike_training=True),
    ImageRow("dark/x.png", problem="x.png is empty (0 bytes)."),
]
Json = Callable[..., Any]


def write_batch(model: Run, folder: Path, state: RunStatus = RunStatus.DONE) -> Run:
    """A batch of two images, one of which cannot be read."""
    batch = jobs.submit(model, folder)
    table.append(batch.folder / table.FILE, ["dark", "light"], ROWS)
    batch.write_status(replace(batch.status, state=state, done=2, total=2))
    return batch


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.0)


@pytest.fixture
def model(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "good")


@pytest.fixture
def batch(model: Run, class_folders: Path) -> Run:
    return write_batch(model, class_folders)


def change(batch: Run, state: RunStatus, **values: Any) -> None:
    batch.write_status(replace(batch.status, state=state, **values))


def test_they_are_listed_below_the_runs(
    batch: Run, model: Run, invoke: Invoke, json_of: Json
) -> None:
    lines = invoke("list").stdout.splitlines()
    assert lines[2] == "" and lines[3].split()[:3] == ["Batch", "State", "Images"]
    assert lines[4].split()[:3] == [batch.id, "done", "2/2"]
    said = json_of("list")
    (line,) = said["batches"]
    assert said["total_batches"] == 1 and [r["run"] for r in said["runs"]] == [model.id]
    assert (line["batch"], line["model"]) == (batch.id, model.id)
    assert (line["done"], line["total"], line["table"]) == (2, 2, None)


def test_they_are_limited_and_filtered(
    batch: Run, model: Run, class_folders: Path, invoke: Invoke, json_of: Json
) -> None:
    waiting = jobs.submit(model, class_folders, "list.csv")
    (line,) = json_of("list", "--state", "queued")["batches"]
    assert line["batch"] == waiting.id and line["table"] == "list.csv"
    said = invoke("list", "--limit", 1).stdout
    assert waiting.id in said and batch.id not in said
    assert "1 more batch: medmodel list --limit 0" in said
    assert "more batch" not in invoke("list", "--limit", 2).stdout
    assert len(json_of("list", "--limit", 1)["batches"]) == 1


@pytest.mark.parametrize("name", ["batch.json", "status.json", "config.json"])
def test_a_damaged_one_is_named(batch: Run, name: str, json_of: Json) -> None:
    (batch.folder / name).write_text("{")
    said = json_of("list")
    (sentence,) = said["damaged"]
    assert name in sentence and not said["batches"]


def test_one_that_waits_leaves_the_queue(
    model: Run, class_folders: Path, invoke: Invoke, json_of: Json
) -> None:
    batch = jobs.submit(model, class_folders)
    assert f"{batch.id}: stopped." in invoke("stop", batch.id).stdout
    assert not list(queue.waiting(RunStore()))
    (line,) = json_of("resume", batch.id)["batches"]
    assert line["state"] == "queued"
    assert [run.id for run, _s in queue.waiting(RunStore())] == [batch.id]
    (line,) = json_of("stop", batch.id)["batches"]
    assert line["state"] == "stopped"


def test_one_at_work_is_asked(batch: Run, invoke: Invoke) -> None:
    change(batch, RunStatus.RUNNING)
    with batch.lock:
        said = invoke("stop", batch.id).stdout
    assert f"{batch.id} stops after its current images." in said
    assert batch.stop_requested


def test_one_that_is_done_is_no_run(batch: Run, invoke: Invoke) -> None:
    for name in ("stop", "resume"):
        said = invoke(name, batch.id, status=1).stderr
        assert "good, images of easy" in said and "The run" not in said


def test_it_is_followed_to_its_end(
    batch: Run, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(store: RunStore) -> None:
        change(batch, RunStatus.DONE)

    monkeypatch.setattr(queue, "ensure_worker", finish)
    for words in (["watch"], ["watch", batch.id], ["resume", batch.id, "--watch"]):
        change(batch, RunStatus.STOPPED if "resume" in words else RunStatus.QUEUED)
        said = invoke(*words).stdout
        assert f"{batch.id} is done: 2 images." in said
        assert "epoch" not in said and f"medmodel watch {batch.id} --output" in said


def test_a_line_of_json_names_its_kind(
    batch: Run, model: Run, json_of: Json, invoke: Invoke
) -> None:
    assert json_of("watch", batch.id)["kind"] == "batch"
    assert json_of("watch", model.id)["kind"] == "run"


def test_its_table_is_written_once_it_is_done(
    batch: Run, invoke: Invoke, tmp_path: Path
) -> None:
    output = tmp_path / "scores.csv"
    said = invoke("watch", batch.id, "--output", output).stdout
    assert "2 images in" in said and "not readable: 1" in said
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["predicted"] for row in rows] == ["dark", ""]


def test_of_a_deleted_model_the_scores_are_written(
    batch: Run, model: Run, invoke: Invoke, tmp_path: Path
) -> None:
    queue.delete(model, RunStore())
    invoke("watch", batch.id, "--output", tmp_path / "scores.parquet")
    assert (tmp_path / "scores.parquet").stat().st_size


def test_of_one_that_failed_no_table_is_written(
    batch: Run, invoke: Invoke, tmp_path: Path
) -> None:
    change(batch, RunStatus.FAILED, failure=Failure("data", "It broke.", "Mend."))
    output = tmp_path / "scores.csv"
    said = invoke("watch", batch.id, "--output", output, status=1).stderr
    assert "It broke. Mend." in said and not output.exists()


def test_a_run_has_no_such_table(model: Run, batch: Run, invoke: Invoke) -> None:
    said = invoke("watch", model.id, "--output", "scores.csv", status=2).stderr
    assert f"medmodel evaluate {model.id} --predictions" in " ".join(said.split())
    said = invoke("watch", batch.id, "--output", "scores.txt", status=2).stderr
    assert "FILE.csv" in said


def test_the_oldest_of_runs_and_batches_is_followed(
    batch: Run, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(store: RunStore) -> None:
        for run, status in list(queue.waiting(store)):
            run.write_status(replace(status, state=RunStatus.DONE))

    monkeypatch.setattr(queue, "ensure_worker", finish)
    change(batch, RunStatus.QUEUED)
    run = RunStore().create(TrainConfig("/data"))
    assert f"{batch.id} is done" in invoke("watch").stdout
    run.write_status(replace(run.status, state=RunStatus.QUEUED))
    assert f"{run.id} is done" in invoke("watch").stdout


def test_ids_of_both_are_completed_and_latest_is_a_run(batch: Run, model: Run) -> None:
    kind = RunOrBatchParameter()
    context, option = click.Context(click.Command("any")), click.Option(["--any"])
    items = kind.shell_complete(context, option, "")
    assert [item.value for item in items] == [model.id, batch.id]
    assert kind.convert(batch.id, None, None).folder == batch.folder
    assert kind.convert("latest", None, None).id == model.id
    for text in ("nowhere", "../runs", ""):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)


def test_commands_for_models_take_no_batch(batch: Run, invoke: Invoke) -> None:
    assert "no run" in invoke("evaluate", batch.id, status=2).stderr


def test_one_that_ended_is_followed_at_once(invoke: Invoke) -> None:
    run = create_ended(TrainConfig("/data"))
    assert f"{run.id} is done." in invoke("watch", run.id).stdout


@pytest.mark.parametrize("name", ["table.csv", "table.CSV", "table.parquet"])
def test_a_table_goes_to_a_file_of_its_kind(name: str) -> None:
    assert check_output(Path(name)) == Path(name)


@pytest.mark.parametrize("output", [None, Path("table"), Path("table.xlsx")])
def test_any_other_place_is_refused(output: Path | None) -> None:
    with pytest.raises(click.UsageError, match="FILE.csv or FILE.parquet"):
        check_output(output)


def test_outlines_and_masks_of_a_segmentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke, model: Run
) -> None:
    discs = draw_masked_folder(tmp_path / "data" / "discs", images=3)
    run = write_segmented_run(discs)
    outline_bright(monkeypatch, run)
    batch = work_off(run)
    output, folder = tmp_path / "outlines.csv", tmp_path / "masks"
    folder.mkdir()
    said = invoke("watch", batch.id, "--output", output, "--masks", folder).stdout
    assert "With an outline: 2; masks written: 3." in said
    noted = (batch.folder.parent.parent / "audit.jsonl").read_text()
    assert noted.count('"batch csv"') == noted.count('"batch masks"') == 1
    assert len(list((folder / "images").iterdir())) == 3
    with output.open(encoding="utf-8-sig", newline="") as file:
        assert [row["outlined"] for row in csv.DictReader(file)] == [
            "",
            *["lesion"] * 2,
        ]
    taken = folder / "images" / "p01.png_mask.png"
    taken.unlink()
    taken.mkdir()
    words = ("watch", batch.id, "--output", output, "--masks", folder)
    assert "p01.png_mask.png cannot be written" in invoke(*words, status=1).stderr
    taken.rmdir()
    rows = (batch.folder / table.FILE).read_text()
    (batch.folder / table.FILE).write_text(
        rows.replace("p01.png,,,,0,1,", "p01.png,,,,0,1,1")
    )
    assert "masks written: 2." in invoke(*words).stdout
    assert "masks written: 3." in invoke(*words, "--anyway").stdout
    for command in (["watch", batch.id], ["predict", model.id, discs]):
        invoke(*command, "--masks", folder, status=2)
