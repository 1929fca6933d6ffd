"""`medmodel external-test`: classes are matched, the test waits in the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.storage import write_json
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture(autouse=True)
def unattended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker comes."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "a model")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    classes = ("Dark", "bright", "x=y")
    return draw_class_folders(tmp_path / "data" / "elsewhere", classes, 2)


def test_classes_are_matched_by_name(
    run: Run, elsewhere: Path, json_of: Callable[..., Any]
) -> None:
    values = json_of("external-test", run.id, elsewhere, "--map", "bright=light")
    assert values["mapping"] == {"Dark": "dark", "bright": "light", "x=y": ""}
    (listed,) = values["runs"]
    assert listed["test_of"] == run.id and listed["state"] == "queued"
    test = RunStore().get(listed["run"])
    assert test.class_mapping == {"Dark": "dark", "bright": "light"}
    assert test.config.dataset == str(elsewhere)


def test_text(run: Run, elsewhere: Path, invoke: Invoke) -> None:
    said = invoke("external-test", run.id, elsewhere, "--map", "x=y=light").stdout
    assert "Dark counts as dark" in said and "x=y counts as light" in said
    assert "bright is left out." in said and "Watch it: medmodel watch" in said


def test_a_class_is_left_out_on_request(
    run: Run, elsewhere: Path, json_of: Callable[..., Any]
) -> None:
    options = ["--map", "bright=light", "--map", "Dark="]
    values = json_of("external-test", run.id, elsewhere, *options)
    assert values["mapping"]["Dark"] == ""


@pytest.mark.parametrize("change", ["bright", "grey=light", "bright=grey", "=light"])
def test_classes_that_are_not_there(
    change: str, run: Run, elsewhere: Path, invoke: Invoke
) -> None:
    said = invoke("external-test", run.id, elsewhere, "--map", change, status=2).stderr
    assert "THERE=HERE" in said and "There: Dark, bright, x=y. Here: dark, light." in (
        " ".join(said.split())
    )
    assert len(RunStore().list()) == 1


def test_no_class_in_common(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    other = draw_class_folders(tmp_path / "data" / "other", ("a", "b"), 2)
    said = invoke("external-test", run.id, other, status=1).stderr
    assert "No class of other counts" in said
    (tmp_path / "data" / "empty").mkdir()
    said = invoke("external-test", run.id, "empty", status=1).stderr
    assert "no class" in said


def test_a_test_is_not_tested(run: Run, elsewhere: Path, invoke: Invoke) -> None:
    write_json(run.folder / "external.json", {"model": run.id, "mapping": {}})
    said = invoke("external-test", run.id, elsewhere, status=2).stderr
    assert "external test already" in said
