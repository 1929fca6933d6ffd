"""Sweep: one button for all recipes, a form, and what is said of the winner."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from medmodel.core.config import config_for
from medmodel.core.processes import background
from medmodel.core.storage import write_json
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus, Status
from medmodel.sweeps.search_space import best_sweep
from medmodel.sweeps.sweep import Trial, Trials, list_sweeps, make_sweep
from pages._shared.training import encoder_choice
from tests.encoder_files import write_encoder
from tests.findings_folder import draw_findings_folder
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press
from tests.written_sweep import write_sweep

PAGE = "models/sweep.py"


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)


def texts(page: object) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "title")
    return " ".join(e.value for kind in kinds for e in getattr(page, kind))


def test_all_recipes_with_one_button(class_folders: Path) -> None:
    page = press(open_page(PAGE), "Compare all recipes")
    (sweep,) = list_sweeps()
    assert set(sweep.config.space) == {"recipe"}
    assert sweep.config.base.dataset == str(class_folders)
    assert page.title[0].value.startswith("All recipes on")


def test_all_encoders_with_one_button_where_there_are_some(
    class_folders: Path, workspace: Path
) -> None:
    page = open_page(PAGE)
    assert "Compare all encoders" not in [button.label for button in page.button]
    encoder_choice.encoders_of.clear()
    write_encoder(workspace / "weights", "own")
    page = press(open_page(PAGE), "Compare all encoders")
    (sweep,) = list_sweeps()
    assert sweep.config.space["model"].choices[-1] == "encoder:own"
    assert page.title[0].value.startswith("Encoders on")
    encoder_choice.encoders_of.clear()


def test_the_form_says_what_is_wrong_and_starts(class_folders: Path) -> None:
    page = open_page(PAGE)
    page.button_group[0].set_value([]).run()
    assert "at least one setting" in texts(page)
    page.button_group[0].set_value(["size"]).run()
    press(page, "Start the sweep")
    (sweep,) = list_sweeps()
    assert sweep.config.space["size"].choices == (64, 128)


def test_the_form_refuses_what_several_findings_do_not_take(tmp_path: Path) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "findings")
    page = open_page(PAGE, dataset=str(folder))
    page.button_group[0].set_value(["mixup"]).run()
    assert "not for several findings" in texts(page)
    page.button_group[0].set_value(["size"]).run()
    press(page, "Start the sweep")
    (sweep,) = list_sweeps()
    assert sweep.config.base.multi_label


def test_the_winner_is_said_to_be_optimistic(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "trial")
    sweep = write_sweep(class_folders, run.id)
    page = open_page(PAGE, sweep=sweep.id)
    said = texts(page)
    assert "best of 3 trials" in said and "optimistic" in said
    assert "0\\.400, trial 2" in said and "Small changes" not in said
    table = page.dataframe[0].value
    assert list(table["State"]) == ["Ended early", "Done", "Done"]
    assert list(table["Augmentation"]) == ["None", "None", "Small changes"]


def test_a_winner_that_was_deleted_and_a_data_set_that_was_changed(
    class_folders: Path,
) -> None:
    run = write_finished_run(class_folders, "trial")
    sweep = write_sweep(class_folders, run.id)
    first, second, third = sweep.results.trials
    trials = [
        replace(first, split="b"),
        replace(second, split="a"),
        replace(third, split="b"),
    ]
    write_json(sweep.folder / "trials.json", Trials(trials))
    page = open_page(PAGE, sweep=sweep.id)
    said = texts(page)
    assert "0\\.500, trial 1" in said and "best of 2 trials" in said
    assert "had other images and are not compared\\: 2\\." in said
    assert "was deleted" not in said
    RunStore().delete(run)
    page = open_page(PAGE, sweep=sweep.id)
    assert "The run of this trial was deleted" in texts(page)
    labels = [button.label for button in page.button]
    assert not {"Open the winner", "Compare on test images"} & set(labels)


def test_a_trial_at_work_says_what_it_does(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "trial")
    sweep = write_sweep(class_folders, run.id)
    first, second, third = sweep.results.trials
    trials = [first, replace(second, state="running", val_loss=None), third]
    write_json(sweep.folder / "trials.json", Trials(trials))
    sweep.task.write("starting", started=time.time())
    status = replace(run.status, message="Computing features.", seconds_left=125.0)
    run.write_status(status)
    page = open_page(PAGE, sweep=sweep.id)
    captions = [caption.value for caption in page.caption]
    assert "Trial 2\\: Computing features\\. 2 min 5 s left\\." in captions
    assert list(page.dataframe[0].value["Val. loss"]) == ["0.500", "", "0.700"]
    # A run that somebody deleted meanwhile is not spoken of.
    RunStore().delete(run)
    page = open_page(PAGE, sweep=sweep.id)
    assert not page.exception and not page.error
    assert not any(caption.value.startswith("Trial 2") for caption in page.caption)


def test_the_expected_time_is_said_before_the_start(class_folders: Path) -> None:
    page = open_page(PAGE)
    said = [m.value for m in page.markdown if ":material/schedule:" in m.value]
    assert len(said) == 2 and all("for all trials" in text for text in said)


def test_a_link_to_a_sweep_that_is_gone() -> None:
    assert "no sweep" in texts(open_page(PAGE, sweep="../x"))


def test_without_data_there_is_one_way_on() -> None:
    assert "no data set yet" in texts(open_page(PAGE))


def test_the_best_in_a_time_says_what_was_tried(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "trial")
    sweep = make_sweep(best_sweep(config_for("instant", str(class_folders)), 10))
    tried = [
        Trial(0, {"candidate": "instant"}, run.id, "done", 0.4, 0.8, 20.0),
        Trial(1, {"candidate": "compact"}, run.id, "stopped", 0.3, 0.9, 200.0, 0.9),
        Trial(2, {"candidate": "ensemble"}, run.id, "done", 0.2, 0.9, 9.0, 2.5),
    ]
    write_json(sweep.folder / "trials.json", Trials(tried[:2]))
    sweep.task.write("finished")
    said = texts(open_page(PAGE, sweep=sweep.id))
    assert "Winner\\: trial 1 \\(Candidate Instant\\), validation loss 0\\.400" in said
    assert "that may be chance, and the simplest model wins" in said
    write_json(sweep.folder / "trials.json", Trials(tried))
    page = open_page(PAGE, sweep=sweep.id)
    assert page.title[0].value == "Best in 10 minutes on easy"
    said = texts(page)
    assert "Winner\\: trial 3 \\(Candidate Ensemble\\)" in said
    assert "lower than that of Instant by 2\\.50 standard errors" in said
    assert "best of 3 trials" in said and "optimistic" in said
    table = page.dataframe[0].value
    assert list(table["Candidate"]) == ["Instant", "Compact CNN", "Ensemble"]


def test_a_baseline_that_failed_has_its_reason_here_and_in_the_run(
    class_folders: Path,
) -> None:
    run = write_finished_run(class_folders, "trial")
    run.write_status(Status(RunStatus.FAILED, message="The folder is gone."))
    sweep = make_sweep(best_sweep(config_for("instant", str(class_folders)), 10))
    failed = Trial(0, {"candidate": "instant"}, run.id, "failed")
    write_json(sweep.folder / "trials.json", Trials([failed]))
    sweep.task.write("finished")
    said = texts(open_page(PAGE, sweep=sweep.id))
    assert r"Trial 1\: The folder is gone" in said
    RunStore().delete(run)
    assert "its run says why" in texts(open_page(PAGE, sweep=sweep.id))
    sweep.task.write("starting", started=time.time())
    assert "finished an epoch yet" in texts(open_page(PAGE, sweep=sweep.id))
