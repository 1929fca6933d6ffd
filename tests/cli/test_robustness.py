"""`medmodel robustness`: the test that is there, a new one, its end, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.cli import robustness
from medmodel.core.locks import Lock
from medmodel.core.processes.background import BackgroundTask
from medmodel.core.storage import read_json, write_json
from medmodel.evaluation.robustness.corruption_test import corruption_task
from medmodel.imaging.corruptions import CORRUPTIONS
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.corrupted import write_corrupted
from tests.finished_run import write_finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "many", images_per_class=45)
    run = write_finished_run(folder, "many")
    (run.folder / "model.json").touch()
    return run


@pytest.fixture
def started(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each test that is started ends: removed from its front; then it is done."""
    ends: list[str] = []

    def start(task: BackgroundTask) -> None:
        end = ends.pop(0) if ends else "finished"
        if end == "finished":
            write_corrupted(run, images=60, blurred=0)
        task.write(end, error="The disk is full." if end == "failed" else "")

    monkeypatch.setattr(BackgroundTask, "start", start)
    monkeypatch.setattr(robustness, "LOOK_EVERY", 0.0)
    return ends


def test_a_test_that_is_there_is_shown(
    run: Run, json_of: Callable[..., Any], invoke: Invoke
) -> None:
    write_corrupted(run, images=60, blurred=30)
    values = json_of("robustness", run.id)
    assert values["images"] == 60 and values["falls"] == ["blur"]
    assert values["metrics"]["accuracy"]["value"] == 1
    assert [c["corruption"] for c in values["corruptions"]] == list(CORRUPTIONS)
    (blur,) = (c for c in values["corruptions"] if c["corruption"] == "blur")
    assert [at["strength"] for at in blur["strengths"]] == [1, 2, 3, 4, 5]
    assert blur["strengths"][2]["metrics"]["accuracy"]["value"] == 0.5
    assert blur["strengths"][2]["difference"]["value"] == -0.5
    said = invoke("robustness", run.id).stdout
    assert values["verdict"] in said
    (line,) = (line for line in said.splitlines() if line.startswith("Blur"))
    assert line.split() == ["Blur", "100.0", *["50.0"] * 5]


def test_it_is_tested_where_there_is_none_and_again_on_request(
    run: Run, started: list[str], json_of: Callable[..., Any]
) -> None:
    assert json_of("robustness", run.id)["falls"] == []
    write_corrupted(run, images=60, blurred=30)
    assert json_of("robustness", run.id)["falls"] == ["blur"]
    assert json_of("robustness", run.id, "--again")["falls"] == []


@pytest.mark.parametrize(
    ("end", "sentence"),
    [("failed", "The disk is full."), ("stopped", "nothing of it was kept")],
)
def test_how_it_ended_else_is_said(
    end: str, sentence: str, run: Run, started: list[str], invoke: Invoke
) -> None:
    write_corrupted(run, images=60, blurred=0)
    started.append(end)
    assert sentence in invoke("robustness", run.id, "--again", status=1).stderr


def test_it_is_stopped(run: Run, invoke: Invoke) -> None:
    assert "is going on" in invoke("robustness", run.id, "--stop", status=1).stderr
    task = corruption_task(run)
    with Lock(task.lock_path):
        assert "stops." in invoke("robustness", run.id, "--stop").stdout
        assert task.stop_requested


def test_few_images_claim_nothing(run: Run, json_of: Callable[..., Any]) -> None:
    write_corrupted(run, images=8, blurred=8)
    values = json_of("robustness", run.id)
    assert values["verdict"].startswith("Too few") and values["falls"] == []
    assert values["metrics"]["accuracy"]["low"] is None


def test_what_is_not_tested(run: Run, class_folders: Path, invoke: Invoke) -> None:
    (run.folder / "model.json").unlink()
    assert "no trained model" in invoke("robustness", run.id, status=1).stderr
    test = write_finished_run(class_folders, "elsewhere")
    write_json(test.folder / "external.json", {"model": run.id, "mapping": {}})
    said = invoke("robustness", test.id, status=2).stderr
    assert run.id in " ".join(said.split())


@pytest.mark.parametrize("kind", [{"model": "compact_unet"}, {"multi_label": True}])
def test_other_kinds_of_model_are_refused(
    kind: dict[str, Any], run: Run, invoke: Invoke
) -> None:
    path = run.folder / "config.json"
    write_json(path, {**read_json(path), **kind})
    said = invoke("robustness", run.id, status=2).stderr
    assert "give an image one class" in " ".join(said.split())
