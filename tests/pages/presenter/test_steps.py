"""What each step shows, empty, busy, full and failed, and its keys."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmodel.audience.process import AudienceError
from medmodel.core.settings.recipes import RECIPES
from medmodel.core.storage import write_json
from medmodel.data.datasets import index_dataset
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status
from medmodel.runs.tables.curves import append_epoch
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.findings_folder import draw_findings_folder
from tests.finished_run import write_finished_run
from tests.pages.page import open_page
from tests.pages.presenter.projector import (
    Projector,
    opened,
    parameter,
    pressed,
    step_of,
)
from tests.segmented_run import write_segmented_run


def test_without_any_data_every_step_says_what_will_be_there(
    projector: Projector,
) -> None:
    app = opened("data")
    assert projector.title == "No data set yet"
    titles = []
    for _ in range(4):
        pressed(app, projector, "next")
        titles.append((projector.title, projector.data["action"]))
    assert titles == [
        ("No data set yet", ""),
        ("No run yet", "Go to Train"),
        ("Not for clinical use", "I understand"),
        ("Two models are needed", "Go to Train"),
    ]


def test_keys_go_through_the_steps_and_stop_at_the_ends(projector: Projector) -> None:
    app = opened("data")
    steps = []
    for key in ("previous", "next", "last", "next", "previous", "first"):
        pressed(app, projector, key)
        steps.append((step_of(app), projector.data["place"]))
    assert steps == [
        *(("data", "1 / 6"), ("train", "2 / 6"), ("read", "6 / 6")),
        *(("read", "6 / 6"), ("compare", "5 / 6"), ("data", "1 / 6")),
    ]


def test_an_unknown_step_is_the_first(projector: Projector) -> None:
    assert step_of(opened("nonsense")) == "nonsense"
    assert projector.data["place"] == "1 / 6"


def test_data_counts_images_by_class(projector: Projector, folder: Path) -> None:
    for number in range(20):
        (folder / "light" / f"light_{number:03}.png").unlink()
    opened("data", dataset=str(folder))
    slide = projector.data["slide"]
    assert slide["title"] == "easy: 40 images in 2 classes"
    assert "not been checked" in slide["sentence"]
    bars = [(bar["name"], bar["text"], bar["share"]) for bar in slide["bars"]]
    assert bars == [("dark", "30", 1.0), ("light", "10", 0.33333)]
    assert slide["notes"] == [
        "Too few images to learn from or to judge by: a demonstration.",
        "Class dark has 3 times as many images as light.",
    ]


def test_of_many_classes_the_largest_are_named(
    projector: Projector, tmp_path: Path
) -> None:
    classes = tuple(f"class {number:02}" for number in range(12))
    folder = tmp_path / "data" / "many"
    draw_class_folders(folder, classes, images_per_class=5)
    opened("data", dataset=str(folder))
    slide = projector.data["slide"]
    assert len(slide["bars"]) == 10
    assert slide["notes"] == ["2 more classes with 10 images in all."]


@pytest.mark.parametrize("checked", [False, True])
def test_data_counts_images_by_finding(
    projector: Projector, tmp_path: Path, checked: bool
) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "chest", images=16)
    if checked:
        index_dataset(folder)
    opened("data", dataset=str(folder))
    slide = projector.data["slide"]
    assert slide["title"] == "chest: 16 images, 2 findings"
    bars = {bar["name"]: bar["text"] for bar in slide["bars"]}
    assert bars == {"bright": "8", "striped": "8", "No finding": "4"}
    assert not any("class" in note.casefold() for note in slide["notes"])


def test_up_and_down_show_other_data_sets(
    projector: Projector, folder: Path, tmp_path: Path
) -> None:
    draw_class_folders(tmp_path / "data" / "other")
    app = opened("data", dataset=str(folder), run="x")
    pressed(app, projector, "down")
    assert projector.title.startswith("other:")
    assert "run" not in app.query_params
    pressed(app, projector, "down")
    assert projector.title.startswith("easy:")
    pressed(app, projector, "up")
    assert projector.title.startswith("other:")


@pytest.mark.parametrize("step", ["data", "train"])
def test_a_folder_outside_is_told_on_the_slide(
    projector: Projector, tmp_path: Path, step: str
) -> None:
    opened(step, dataset=str(tmp_path))
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and slide["title"] == "This cannot be shown"
    assert slide["sentence"]


def test_enter_trains_and_shows_the_curves(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    app = opened("train", dataset=str(folder))
    assert projector.title == "Instant on easy"
    pressed(app, projector, "down")
    assert projector.title == "Compact CNN on easy"
    pressed(app, projector, "up")
    pressed(app, projector, "up")
    textbook = f"{RECIPES['document'].title} on easy"
    assert projector.title == textbook
    pressed(app, projector, "action")
    (run,) = RunStore().list()
    assert run.config.recipe == "document" and run.config.dataset == str(folder)
    assert step_of(app) == "curves" and parameter(app, "run") == run.id
    assert projector.title == f"{textbook}: waiting"
    assert projector.data["slide"]["state"] == "busy"
    pressed(app, projector, "previous")
    assert f"Waiting now: {textbook}." in projector.data["slide"]["notes"]
    RunStore().create(replace(run.config, recipe="instant"))
    with run.lock:
        run.write_status(Status(RunStatus.RUNNING))
        opened("train", dataset=str(folder))
    assert f"At work now: {textbook}." in projector.data["slide"]["notes"]


def test_a_training_that_cannot_begin_is_told(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Run:
        raise AudienceError("The disk is full.")

    monkeypatch.setattr(queue, "submit", full)
    app = opened("train", dataset=str(folder))
    pressed(app, projector, "action")
    assert projector.title == "This was not done"
    assert projector.data["slide"]["sentence"] == "The disk is full."
    pressed(app, projector, "next")
    assert projector.title == "No run yet"


def test_curves_of_a_run_that_learns(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    (run.steps_path).write_text(
        "step,loss,accuracy,time\n1,0.9,0.5,1\n2,0.5,0.75,2\n", encoding="utf-8"
    )
    append_epoch(
        run, {"attempt": 1, "epoch": 6, "step": 2, "val_loss": 0.6, "val_accuracy": 0.7}
    )
    with run.lock:
        run.write_status(
            Status(
                RunStatus.RUNNING,
                phase="training",
                message="Epoch 2 of 4.",
                step=2,
                steps=8,
                best_epoch=6,
                seconds_left=130.0,
            )
        )
        opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["title"] == "first: training" and slide["state"] == "busy"
    assert slide["sentence"] == "Epoch 2 of 4. 2 min 10 s left."
    assert slide["progress"] == 0.25
    loss, accuracy = slide["charts"]
    assert [c["text"] for c in loss["curves"]] == ["0.5", "0.6"]
    assert [c["text"] for c in accuracy["curves"]] == ["75.0 %", "70.0 %"]
    assert loss["curves"][0]["x"] == [1, 2] and loss["curves"][0]["y"] == [0.9, 0.5]
    assert accuracy["perCent"] and loss["marked"] == 2


def test_curves_of_a_run_that_kept_its_epochs_alone(
    projector: Projector, folder: Path
) -> None:
    run = write_finished_run(folder, "first", sharpness=1.0)
    opened("curves", run=run.id)
    loss, accuracy = projector.data["slide"]["charts"]
    assert loss["xTitle"] == accuracy["xTitle"] == "epoch"
    # The made-up losses are 1 / (epoch + sharpness).
    assert loss["curves"][1]["x"] == [1, 2, 3, 4, 5]
    assert loss["curves"][1]["y"] == [0.5, 0.33333, 0.25, 0.2, 0.16667]
    assert loss["curves"][0]["x"] == [] and loss["curves"][0]["text"] == ""
    assert accuracy["curves"][1]["text"] == "83.3 %"


def test_dice_is_a_number_and_no_per_cent(projector: Projector, tmp_path: Path) -> None:
    run = write_segmented_run(draw_masked_folder(tmp_path / "masked", images=4))
    opened("curves", run=run.id)
    _loss, dice = projector.data["slide"]["charts"]
    assert dice["title"] == "Dice" and dice["share"] and not dice["perCent"]
    assert dice["curves"][1]["text"] == "0.600"


def test_an_ensemble_has_no_epochs(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "mean")
    write_json(run.folder / "ensemble.json", {"members": {run.id: "a"}})
    opened("curves", run=run.id)
    assert "no epochs of its own" in projector.data["slide"]["sentence"]


def test_a_failed_run_says_why(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    failure = Failure("data", "A file was gone.", "Check the data set.")
    run.write_status(Status(RunStatus.FAILED, failure=failure))
    opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and slide["title"] == "first: failed"
    assert slide["sentence"] == "A file was gone."
    assert slide["notes"] == ["Check the data set."] and slide["progress"] is None


def test_a_run_that_is_gone_is_told(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    shutil.rmtree(run.folder)
    opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and run.id in slide["sentence"]


def test_the_verdict_is_that_of_compare(projector: Projector, folder: Path) -> None:
    good = write_finished_run(folder, "good", sharpness=4.0)
    bad = write_finished_run(folder, "bad", sharpness=0.0, seed=1)
    app = opened("compare", runs=f"{good.id},{bad.id}")
    slide = projector.data["slide"]
    assert slide["title"].startswith("good is better than bad by")
    assert slide["sentence"].startswith("Accuracy with its 95 % interval. 40 test")
    good_bar, bad_bar = slide["bars"]
    assert good_bar["name"] == "good" and good_bar["share"] > bad_bar["share"]
    assert good_bar["low"] < good_bar["share"] <= good_bar["high"]
    pressed(app, projector, "down")
    assert "ROC" in projector.data["slide"]["sentence"]
    # Without a choice the two newest of the data set are taken.
    opened("compare", dataset=str(folder))
    assert "good" in projector.title and "bad" in projector.title
    # The model that was shown before is one of them.
    write_finished_run(folder, "third", sharpness=0.0, seed=2)
    opened("compare", dataset=str(folder), run=good.id)
    names = [bar["name"] for bar in projector.data["slide"]["bars"]]
    assert names == ["good", "third"]


def test_one_model_alone_asks_for_another(projector: Projector, folder: Path) -> None:
    write_finished_run(folder, "lonely")
    app = opened("compare")
    assert "lonely is the only one" in projector.data["slide"]["sentence"]
    pressed(app, projector, "action")
    assert step_of(app) == "train"


@pytest.mark.parametrize(
    ("step", "title"),
    [
        ("data", "Data sets"),
        ("train", "Train"),
        ("curves", "Runs"),
        ("compare", "Compare"),
    ],
)
def test_leaving_opens_the_page_of_the_step(
    projector: Projector, folder: Path, step: str, title: str
) -> None:
    app = opened(step)
    pressed(app, projector, "leave")
    assert app.title[0].value == title
    assert "present" not in app.query_params


def test_dark_and_light_by_key(projector: Projector) -> None:
    app = opened("data")
    before = projector.data["dark"]
    pressed(app, projector, "dark")
    assert projector.data["dark"] is not before
    pressed(app, projector, "dark")
    assert projector.data["dark"] is before


def test_the_page_of_a_normal_address_opens_with_present(projector: Projector) -> None:
    app = open_page("models/runs.py", present="train")
    assert app.title[0].value == "Presenter mode"
    assert projector.data["place"] == "2 / 6"


@pytest.mark.parametrize(
    ("path", "step"),
    [("models/runs.py", "curves"), ("results/compare.py", "compare")],
)
def test_the_button_on_a_page_opens_its_step(
    projector: Projector, folder: Path, path: str, step: str
) -> None:
    run = write_finished_run(folder, "first")
    app = open_page(path, run=run.id)
    (button,) = (b for b in app.sidebar.button if b.label == "Present")
    button.click().run()
    assert not app.exception
    assert step_of(app) == step
    assert parameter(app, "run") == run.id
    assert not [b for b in app.sidebar.button if b.label == "Present"]
