"""A model's formats on Evaluate: to be made, being made, failed, there, too rounded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.processes.background import TaskState
from medmodel.core.storage import write_json
from medmodel.export.formats import FORMATS
from medmodel.export.report import export_folder
from medmodel.export.task import export_task
from medmodel.runs.run import Run
from pages._shared.evaluation import model_export_view
from tests.exported_model import write_export
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "shown")
    run.model_path.touch()
    (run.folder / "model.json").touch()
    return run


def opened(run: Run) -> AppTest:
    app = open_page("results/evaluate.py", run=run.id, view="Export")
    assert not app.error
    return app


def test_every_format_can_be_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        model_export_view, "start_export", lambda run, key: asked.append(key)
    )
    app = opened(run)
    labels = [button.label for button in app.button]
    assert [f"Export as {entry.title}" in labels for entry in FORMATS.values()] == [
        True
    ] * len(FORMATS)
    press(app, "Export as ONNX")
    assert asked == ["onnx"]


def test_of_an_external_test_the_tested_model(run: Run, class_folders: Path) -> None:
    test = write_finished_run(class_folders, "elsewhere")
    write_json(test.folder / "external.json", {"model": run.id, "mapping": {}})
    model = model_export_view._model_of(test)
    assert model is not None and model.id == run.id
    app = opened(test)
    assert "Export as ONNX" in [b.label for b in app.button]
    (run.folder / "model.json").unlink()
    assert model_export_view._model_of(test) is None
    assert "not there any more" in said(opened(test))
    shutil.rmtree(run.folder)
    assert model_export_view._model_of(test) is None


def test_how_an_export_compares(run: Run) -> None:
    write_export(run, "onnx")
    write_export(run, "litert", images=10, drawn=22)
    write_export(run, "keras", images=0, drawn=32)
    text = said(opened(run)).replace("\\", "")
    assert "On 60 test images: same predicted class in 100.0%" in text
    assert "differ by 3e-06 at most" in text
    assert (
        "13.5 MB; 9.0 ms an image on this processor (the model itself 12.0 ms)" in text
    )
    assert "On 10 test images and 22 of noise" in text
    assert "On 32 images of noise (the test images cannot be read)" in text
    assert "too often" not in text


def test_eight_bits_that_change_answers_are_warned_of(run: Run) -> None:
    write_export(run, "litert_int8", same_class=0.95, largest_difference=0.4)
    (warning,) = [w for w in opened(run).warning if "8 bits" in w.value]
    assert "too often" in warning.value


@pytest.mark.parametrize(
    ("rounded", "sentence"),
    [
        ("all", "Weights and values between layers have 8 bits."),
        ("weights", "Only the weights of large layers have 8 bits:"),
        ("half", "The weights of large layers have 16 bits, and nothing has 8:"),
        ("none", "No layer is large enough to be rounded: nothing has 8 bits."),
    ],
)
def test_what_has_eight_bits_is_said(run: Run, rounded: str, sentence: str) -> None:
    write_export(run, "litert_int8", rounded=rounded)
    assert sentence in said(opened(run))


def test_busy_and_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {key: TaskState() for key in FORMATS}
    states["onnx"] = TaskState("converting", running=True)
    with monkeypatch.context() as patch:
        patch.setattr(model_export_view, "export_state", lambda run, k: states[k])
        app = opened(run)
    (progress,) = app.get("progress")
    assert "Converting the model. You may leave this page" in progress.proto.text
    assert progress.proto.value == 40
    assert "Export as ONNX" not in [b.label for b in app.button]
    export_folder(run, "onnx").mkdir(parents=True)
    export_task(run, "onnx").write("failed", error="The disk is full.")
    app = open_page("results/evaluate.py", run=run.id, view="Export")
    assert [e.value for e in app.error] == ["The disk is full\\."]
    assert "Export as ONNX" in [b.label for b in app.button]
