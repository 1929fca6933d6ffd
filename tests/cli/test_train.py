"""`medmodel train`: settings, the queue, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from medmodel.cli import train
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.storage import read_json, write_json
from medmodel.imaging import enhance
from medmodel.quality import report_store
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.encoder_files import write_encoder
from tests.finished_run import create_ended
from tests.stubbed_queue import stubbed_queue


@pytest.fixture
def unattended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker comes."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)


@pytest.fixture
def stub(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers train with the stub; none of them outlives the test."""
    with stubbed_queue(workspace, monkeypatch):
        yield


def only_run() -> Run:
    (run,) = RunStore().list()
    return run


def test_every_setting_has_its_option() -> None:
    names = {option.name for option in train.setting_options()}
    settings = {field.name for field in fields(TrainConfig)}
    assert names == settings - set(train._ELSEWHERE) | {
        field.name for field in fields(Augmentation)
    }
    assert set(train._HELP) == names


@pytest.mark.usefixtures("unattended")
def test_a_run_waits_with_the_recipes_settings(
    class_folders: Path, invoke: Invoke
) -> None:
    said = invoke("train", "easy").stdout
    run = only_run()
    assert f"Queued {run.id}: Instant on easy" in said
    assert f"medmodel watch {run.id}" in said
    assert run.config == config_for("instant", str(class_folders))
    assert run.status.state.value == "queued"


@pytest.mark.usefixtures("unattended")
def test_options_change_settings(class_folders: Path, invoke: Invoke) -> None:
    invoke(
        *("train", class_folders, "--recipe", "compact", "--name", "mine"),
        *("--epochs", 3, "--learning-rate", "1e-3", "--no-class-weights"),
        *("--fit", "crop", "--rotation", 12, "--flip-horizontal", "--seed", 7),
        *("--corruption", 0.25),
    )
    config = only_run().config
    start = config_for("compact", str(class_folders))
    assert (config.name, config.epochs, config.seed) == ("mine", 3, 7)
    assert config.learning_rate == 1e-3 and config.fit == "crop"
    assert config.class_weights is False and config.model == start.model
    assert config.augmentation.rotation == 12 and config.augmentation.flip_horizontal
    assert config.augmentation.corruption == 0.25
    assert config.augmentation.shift == start.augmentation.shift > 0


@pytest.mark.usefixtures("unattended")
def test_an_encoder_of_the_weights_folder(
    class_folders: Path,
    tmp_path: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path / "weights"))
    refused = invoke("train", "easy", "--model", "encoder:own", status=1)
    assert "own.json of an encoder is not in" in refused.stderr
    write_encoder(tmp_path / "weights", "own", resize="stretch")
    invoke("train", "easy", "--model", "encoder:own", "--colour", "grey")
    config = only_run().config
    assert (config.model, config.size) == ("encoder:own", 0)
    assert (config.fit, config.colour) == ("stretch", "grey")
    invoke("train", "easy", "--model", "sorcery", status=2)


@pytest.mark.usefixtures("unattended")
def test_json_has_the_runs_as_the_list_has_them(
    class_folders: Path, json_of: Callable[..., Any]
) -> None:
    values = json_of("train", "easy", "--folds", 3)
    assert [run["state"] for run in values["runs"]] == ["queued"] * 3
    listed = json_of("list")["runs"]
    assert values["runs"] == list(reversed(listed))
    folds = [RunStore().get(run["run"]).config.fold for run in values["runs"]]
    assert folds == [1, 2, 3]


@pytest.mark.usefixtures("unattended")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], "“Epochs at most” must lie between 1 and 1000"),
        (["--epochs", "many"], "is not a valid integer"),
        (["--fit", "squeeze"], "is not one of"),
        (["--recipe", "quick"], "is not one of"),
        (["--rotation", "5"], "switch augmentation off"),
        (["--patient-pattern", "("], "Not a regular expression"),
        (["--enhancement", "mine"], "There is no chain 'mine'; saved: none."),
        (["--like", "latest"], "There is no run yet"),
    ],
)
def test_wrong_use(
    options: list[str], words: str, class_folders: Path, invoke: Invoke
) -> None:
    said = invoke("train", "easy", *options, status=2).stderr
    assert words in " ".join(said.split()) and RunStore().list() == []


@pytest.mark.usefixtures("unattended")
def test_nothing_to_train_on(tmp_path: Path, invoke: Invoke) -> None:
    assert "Name a FOLDER" in invoke("train", status=2).stderr
    (tmp_path / "data" / "empty").mkdir(parents=True)
    assert "no two class folders" in invoke("train", "empty", status=1).stderr
    assert RunStore().list() == []


@pytest.mark.usefixtures("unattended")
def test_like_another_run(class_folders: Path, tmp_path: Path, invoke: Invoke) -> None:
    invoke("train", "easy", "--epochs", 5, "--name", "first", "--folds", 2)
    first = RunStore().list()[0]
    invoke("train", "--like", first.id, "--folds", 1, "--seed", 3)
    again = RunStore().list()[0].config
    assert (again.epochs, again.seed, again.name, again.fold) == (5, 3, "", 1)
    assert again.dataset == str(class_folders)
    outside = create_ended(TrainConfig("/etc", name="outside"))
    assert "no folder" in invoke("train", "--like", outside.id, status=1).stderr
    invoke("train", "--like", first.id, "--recipe", "custom")
    assert RunStore().list()[0].config.recipe == "custom"


@pytest.mark.usefixtures("unattended")
def test_a_saved_chain_brings_its_steps_and_window(
    class_folders: Path, workspace: Path, invoke: Invoke
) -> None:
    steps = enhance.Chain(("clahe",)).steps
    chains = {
        "plain": {"steps": steps, "window": "auto"},
        "lung": {"steps": steps, "window": "lung"},
    }
    write_json(workspace / "enhancements.json", chains)
    invoke("train", "easy", "--enhancement", "lung")
    assert RunStore().list()[0].config.window == "lung"
    assert RunStore().list()[0].config.steps == steps
    invoke("train", "easy", "--enhancement", "plain", "--window", "bone")
    assert RunStore().list()[0].config.window == "bone"


@pytest.mark.usefixtures("unattended")
def test_patients_are_told_as_on_the_page(
    class_folders: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_store, "suggested_pattern", lambda *_: r"(\d+)")
    invoke("train", "easy")
    assert only_run().config.patient_pattern == r"(\d+)"
    invoke("train", "easy", "--patient-pattern", "")
    assert RunStore().list()[0].config.patient_pattern == ""


@pytest.mark.usefixtures("stub", "class_folders")
def test_waiting_until_the_end(
    invoke: Invoke, json_of: Callable[..., Any], workspace: Path
) -> None:
    said = invoke("train", "easy", "--name", "quick", "--watch").stdout
    assert "is done" in said and "medmodel evaluate" in said
    values = json_of("train", "easy", "--name", "fail", "--watch", status=1)
    assert values["runs"][0]["state"] == "failed"
    audit = (workspace / "audit.jsonl").read_text()
    assert audit.count('"train"') == 2
    assert read_json(only_of("fail").folder / "config.json")["name"] == "fail"


def only_of(name: str) -> Run:
    (run,) = [run for run in RunStore().list() if run.config.name == name]
    return run


def test_a_folder_of_images_and_masks(tmp_path: Path, invoke: Invoke) -> None:
    discs = draw_masked_folder(tmp_path / "data" / "discs", images=3)
    result = invoke("train", discs, "--name", "classes", status=1)
    assert "choose the recipe Segmentation" in result.stderr
    assert not invoke("train", discs, "--recipe", "segmentation", "--name", "m").stderr
    assert only_of("m").config.segments
    again = invoke("train", "--like", only_of("m").id, "--epochs", 3, "--name", "again")
    assert not again.stderr and only_of("again").config.epochs == 3


def test_a_segmentation_needs_masks(class_folders: Path, invoke: Invoke) -> None:
    result = invoke("train", class_folders, "--recipe", "segmentation", status=1)
    assert "no segmentation masks" in result.stderr
    assert not RunStore().list()
