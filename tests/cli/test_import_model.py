"""`medmodel import`: what is asked for, what is taken from the file, what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.core.processes import background
from medmodel.core.settings.recipes import IMPORTED
from medmodel.core.storage import read_as, write_json
from medmodel.model_import import task
from medmodel.model_import.description import ImportSettings
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.finished_run import create_ended, write_finished_run
from tests.foreign_models import write_onnx


@pytest.fixture
def stand_in(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that every import becomes, without another process."""
    run = write_finished_run(class_folders, "foreign")
    stand_in_import(run, monkeypatch)
    return run


def stand_in_import(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports end at once, as this run."""
    from medmodel.inference.importing import looking

    before = background.BackgroundTask.start

    def start(self: background.BackgroundTask) -> None:
        if self.arguments[0] == "medmodel.sweeps.driver":
            self.write("finished")
            return
        if self.arguments[0] != task._MODULE:
            before(self)
            return
        step, folder = self.arguments[1:3]
        if step == "look":
            try:
                found = looking.look(Path(folder))
            except DataError as error:
                self.write("failed", error=str(error))
                return
            write_json(Path(folder) / "facts.json", found)
            self.write("finished")
        else:
            asked.append(read_as(Path(folder) / "asked.json", ImportSettings))
            self.write("finished", folder=run.id)

    monkeypatch.setattr(background.BackgroundTask, "start", start)


asked: list[ImportSettings | None] = []


def test_what_is_said_goes_before_what_the_file_says(
    stand_in: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    write_onnx(tmp_path / "m.onnx")
    (tmp_path / "names").write_text("0 dark\n1 bright\n")
    values = json_of(
        *("import", str(tmp_path / "m.onnx"), "--labels", str(tmp_path / "names")),
        *("--scale", "unit", "--fit", "crop", "--name", "mine"),
    )
    assert values["run"] == stand_in.id and values["format"] == "onnx"
    assert (values["classes"], values["size"]) == (["dark", "bright"], 16)
    assert (values["scale"], values["fit"]) == ("unit", "crop")
    assert asked[-1] == ImportSettings(
        "mine", ["dark", "bright"], 16, "crop", "rgb", "auto", "unit"
    )
    assert not list(task._home().iterdir())


def test_classes_must_be_given(stand_in: Run, invoke: Invoke, tmp_path: Path) -> None:
    write_onnx(tmp_path / "m.onnx")
    said = invoke("import", str(tmp_path / "m.onnx"), status=2).stderr
    assert "one a line" in said and not list(task._home().iterdir())


def test_a_refused_model(stand_in: Run, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"x")

    said = invoke("import", str(tmp_path / "m.pt"), status=1).stderr
    assert "pickle" in said


def test_nobody_trains_like_an_imported_model(
    class_folders: Path, invoke: Invoke
) -> None:
    run = create_ended(TrainConfig("", name="foreign", recipe=IMPORTED))
    said = invoke("train", str(class_folders), "--like", run.id, status=2).stderr
    assert "trained elsewhere" in said
