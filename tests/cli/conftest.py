"""A command run in this process: its exit status, what it prints, its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from medmodel import predictor
from medmodel.cli import medmodel_command
from medmodel.runs.run import Run
from tests.cli.stand_in_model import Model
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal's language, whatever that of whoever runs the tests."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command; a mistake of ours is raised as it is."""

    def run(*arguments: object, status: int = 0) -> Result:
        result = CliRunner().invoke(medmodel_command, list(map(str, arguments)))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def json_of(invoke: Invoke) -> Callable[..., Any]:
    """What a command prints as JSON."""

    def values(*arguments: object, status: int = 0) -> Any:
        return json.loads(invoke(*arguments, "--json", status=status).stdout)

    return values


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    """In place of the predictor's process."""
    model = Model()
    monkeypatch.setattr(predictor, "Predictor", model.started)
    return model


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Models of different worth, tested on the same images."""
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=60)
    return [
        write_finished_run(folder, "sharp", sharpness=4.0, seed=1),
        write_finished_run(folder, "blunt", sharpness=0.2, seed=2),
        write_finished_run(folder, "middle", sharpness=1.0, seed=3),
    ]
