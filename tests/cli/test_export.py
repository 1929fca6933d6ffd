"""`medmodel export`: waits for the export, copies its file, overwrites nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.export import task
from medmodel.export.report import export_folder
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.exported_model import write_export
from tests.finished_run import write_finished_run


@pytest.fixture
def run(class_folders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    run = write_finished_run(class_folders, "a model")
    run.model_path.touch()
    (run.folder / "model.json").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(task, "start_export", write_export)
    return run


def test_the_file_and_its_comparison(
    run: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    values = json_of("export", run.id)
    file = tmp_path / f"onnx-{run.id}.zip"
    assert values["file"] == str(file) and file.read_bytes() == b"PK"
    assert values["faithful"] is True and values["format"] == "onnx"
    assert (values["images"], values["largest_difference"]) == (60, 3e-6)


def test_text_and_another_place(run: Run, invoke: Invoke, tmp_path: Path) -> None:
    write_export(run, "litert_int8", same_class=0.9, rounded="weights")
    options = ["--format", "litert_int8", "--output", "small.zip"]
    said = " ".join(invoke("export", run.id, *options).stdout.split())
    assert "small.zip: 13.5 MB. On 60 test images and 0 of noise" in said
    assert "the same class in 90.0%" in said and "too often" in said
    assert "Only the weights of large layers have 8 bits" in said
    for rounded, sentence in (
        ("mixed", "those of other large layers 16"),
        ("half", "16 bits, and nothing has 8"),
        ("none", "No layer is large enough"),
    ):
        write_export(run, "litert_int8", rounded=rounded)
        options = ["--format", "litert_int8", "--output", f"{rounded}.zip"]
        assert sentence in " ".join(invoke("export", run.id, *options).stdout.split())
    assert (tmp_path / "small.zip").is_file()


def test_nothing_is_overwritten(run: Run, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("mine")
    said = invoke("export", run.id, "--output", "a.zip", status=2).stderr
    assert "--force replaces it" in said
    assert (tmp_path / "a.zip").read_text() == "mine"
    invoke("export", run.id, "--output", "a.zip", "--force")
    assert (tmp_path / "a.zip").read_bytes() == b"PK"
    said = invoke("export", run.id, "--output", "none/a.zip", status=2).stderr
    assert "There is no folder" in said


def test_an_export_that_fails(
    run: Run, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run, key: str) -> None:
        export_folder(run, key).mkdir(parents=True)
        task.export_task(run, key).write("failed", error="The disk is full.")

    monkeypatch.setattr(task, "start_export", fail)
    assert "The disk is full." in invoke("export", run.id, status=1).stderr
    monkeypatch.setattr(task, "start_export", lambda run, key: None)
    (export_folder(run, "onnx").parent / "onnx.json").unlink()
    assert "was not finished" in invoke("export", run.id, status=1).stderr
    run.model_path.unlink()
    assert "no trained model" in invoke("export", run.id, status=1).stderr
    assert "not one of" in invoke("export", run.id, "--format", "x", status=2).stderr
