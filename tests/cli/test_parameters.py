"""Runs by id, data sets by folder; what may be named, and what completes a word."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from medmodel.cli.parameters import FolderParameter, RunParameter
from medmodel.core.config import TrainConfig
from medmodel.data import synthetic
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke
from tests.finished_run import write_finished_run


def run_named(text: str) -> Run:
    return RunParameter().convert(text, None, None)


def folder_named(text: str) -> Path:
    return FolderParameter().convert(text, None, None)


def complete(kind: click.ParamType, text: str) -> list[str]:
    command = click.Command("any")
    items = kind.shell_complete(click.Context(command), click.Option(["--any"]), text)
    return [item.value for item in items]


def test_a_run_by_its_id_and_the_newest(workspace: Path) -> None:
    with pytest.raises(click.BadParameter, match="There is no run yet"):
        run_named("latest")
    first = RunStore().create(TrainConfig("/data", name="one"))
    second = RunStore().create(TrainConfig("/data", name="two"))
    assert run_named(first.id).folder == first.folder
    assert run_named("latest").id == second.id
    assert run_named(first).folder == first.folder  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["20260101-000000-abc", "../runs", ""])
def test_what_is_no_run_is_wrong_use(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no run|not the id"):
        run_named(text)


def test_ids_are_completed_even_of_damaged_runs(workspace: Path) -> None:
    run = RunStore().create(TrainConfig("/data", name="one"))
    other = RunStore().create(TrainConfig("/data", name="two"))
    (other.folder / "config.json").write_text("{")
    assert complete(RunParameter(), "") == [other.id, run.id]
    assert complete(RunParameter(), run.id[:-1]) == [
        i for i in (other.id, run.id) if i.startswith(run.id[:-1])
    ]
    assert complete(RunParameter(), "x") == []


def test_a_folder_by_its_path_and_by_its_name(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder_named(str(class_folders)) == class_folders
    assert folder_named("easy") == class_folders
    monkeypatch.chdir(class_folders)
    assert folder_named(".") == class_folders
    assert folder_named("../easy/") == class_folders


def test_a_folder_elsewhere_is_refused_with_the_line_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "private" / "lungs"
    elsewhere.mkdir(parents=True)
    (tmp_path / "my data" / "lungs").mkdir(parents=True)
    with pytest.raises(click.BadParameter) as error:
        folder_named(str(elsewhere))
    both = f"{tmp_path / 'data'}:{tmp_path / 'private'}"
    assert f"export MEDMODEL_DATA={both}" in error.value.message
    monkeypatch.delenv("MEDMODEL_DATA")
    with pytest.raises(click.BadParameter) as error:
        folder_named(str(tmp_path / "my data" / "lungs"))
    assert f"MEDMODEL_DATA='{tmp_path / 'my data'}'" in error.value.message
    with pytest.raises(click.BadParameter, match="There is no folder 'nowhere'"):
        folder_named("nowhere")


def test_a_link_does_not_lead_out(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (class_folders.parent / "link").symlink_to(tmp_path / "private")
    with pytest.raises(click.BadParameter):
        folder_named("link")


def test_the_sample_is_drawn_once(
    monkeypatch: pytest.MonkeyPatch,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(synthetic, "write_phantoms", os.listdir)
    folder = folder_named("sample")
    assert folder == workspace / "datasets" / synthetic.SAMPLE_NAME
    assert "Drawing" in capsys.readouterr().err
    assert folder_named("sample") == folder and capsys.readouterr().err == ""


def test_folders_are_completed(class_folders: Path) -> None:
    assert complete(FolderParameter(), "") == ["sample", "easy"]
    assert complete(FolderParameter(), "ea") == ["easy"]
    assert complete(FolderParameter(), "/da") == ["/da"]


@pytest.mark.parametrize(
    "arguments",
    [
        *(("evaluate", option) for option in ("--html", "--pdf", "--model-card")),
        ("evaluate", "--predictions"),
        ("predict", "--output"),
        ("watch", "--output"),
        ("export", "--output"),
    ],
)
def test_a_mistyped_folder_is_not_made(
    arguments: tuple[str, str], class_folders: Path, tmp_path: Path, invoke: Invoke
) -> None:
    command, option = arguments
    run = write_finished_run(class_folders, "r")
    beside = [str(class_folders)] if command == "predict" else []
    place = tmp_path / "mistyped" / "a.csv"
    said = invoke(command, run.id, *beside, option, str(place), status=2).stderr
    assert f"There is no folder {place.parent}" in " ".join(said.split())
    assert not place.parent.exists()
