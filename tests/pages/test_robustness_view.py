"""Robustness on Evaluate: to be tested, being tested, failed, there, of few images."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.locks import Lock
from medmodel.core.processes.background import BackgroundTask
from medmodel.core.storage import write_json
from medmodel.evaluation.robustness.corruption_test import (
    corruption_task,
)
from medmodel.runs.run import Run
from tests.conftest import draw_class_folders
from tests.corrupted import write_corrupted
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "shown")
    (run.folder / "model.json").touch()
    return run


def opened(run: Run) -> AppTest:
    return open_page("results/evaluate.py", run=run.id, view="Robustness")


def test_it_is_started_by_a_button(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BackgroundTask] = []
    monkeypatch.setattr(BackgroundTask, "start", lambda task: asked.append(task))
    app = opened(run)
    assert "predicted 51 times each" in said(app)
    press(app, "Test under corruptions")
    assert asked == [corruption_task(run)]


def test_while_it_works_one_may_leave(run: Run) -> None:
    task = corruption_task(run)
    with Lock(task.lock_path):
        task.write("corrupting", done=10, total=51)
        app = opened(run)
        assert "Test under corruptions" not in [b.label for b in app.button]
    assert not app.error


def test_it_can_be_stopped(run: Run) -> None:
    task = corruption_task(run)
    with Lock(task.lock_path):
        task.write("corrupting", done=10, total=51)
        app = press(opened(run), "Stop")
        assert task.stop_requested
        (stopping,) = (b for b in app.button if b.label == "Stopping…")
        assert stopping.disabled
    task.write("stopped")
    app = opened(run)
    assert "was stopped: nothing of it was kept" in app.info[0].value
    assert "Test under corruptions" in [b.label for b in app.button]


def test_what_went_wrong_is_said_and_it_may_be_tried_again(run: Run) -> None:
    corruption_task(run).write("failed", error="The disk is full.")
    app = opened(run)
    assert "The disk is full." in said(app)
    assert "Test under corruptions" in [b.label for b in app.button]


def test_of_an_external_test_the_model_is_named(run: Run, class_folders: Path) -> None:
    test = write_finished_run(class_folders, "elsewhere")
    write_json(test.folder / "external.json", {"model": run.id, "mapping": {}})
    assert "corruptions are tested of its model" in said(opened(test))


def test_few_images_show_numbers_and_claim_nothing(run: Run) -> None:
    write_corrupted(run, images=8, blurred=8)
    app = opened(run)
    assert "Too few test images to tell what corruptions cost: 8 images" in said(app)
    assert "Largest loss" not in said(app)


def test_a_damaged_file_is_named_and_can_be_made_again(run: Run) -> None:
    write_corrupted(run, images=8, blurred=0)
    path = run.folder / "corruptions.npz"
    path.write_bytes(path.read_bytes()[:-50])
    app = opened(run)
    assert "corruptions.npz is damaged" in said(app)
    assert "Test under corruptions" in [b.label for b in app.button]


def test_what_costs_most_is_said_with_its_interval(
    tmp_path: Path,
) -> None:
    # The 16 test images of the small set would be too few to tell.
    many = draw_class_folders(tmp_path / "data" / "many", images_per_class=45)
    run = write_finished_run(many, "many")
    write_corrupted(run, images=60, blurred=30)
    text = said(opened(run))
    assert "Largest loss among these: Blur, 50.0 percentage points" in text
    assert "1 of 10 corruptions costs more accuracy than chance could" in text
    write_corrupted(run, images=60, blurred=0)
    assert "no corruption costs accuracy by more than chance" in said(opened(run))


def test_without_the_images_it_cannot_be_started(run: Run, class_folders: Path) -> None:
    class_folders.rename(class_folders.parent / "elsewhere")
    app = opened(run)
    assert "There is no folder" in said(app)
    (start,) = (b for b in app.button if b.label == "Test under corruptions")
    assert start.disabled
