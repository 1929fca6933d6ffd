"""`medmodel ensemble`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    folder = draw_class_folders(tmp_path / "set", images_per_class=6)
    return [write_finished_run(folder, f"run {n}", seed=n) for n in (1, 2)]


def test_it_is_queued_under_its_name(
    pair: list[Run], json_of: Callable[..., Any]
) -> None:
    ids = [run.id for run in pair]
    (values,) = json_of("ensemble", *ids, "--name", "both")["runs"]
    made = RunStore().get(values["run"])
    assert made.ensemble and list(made.ensemble.members) == ids
    assert (made.title, values["state"]) == ("both", "queued")


def test_what_comes_next_is_said(pair: list[Run], invoke: Invoke) -> None:
    said = invoke("ensemble", *(run.id for run in pair)).stdout
    assert "Ensemble on set" in said and "medmodel watch" in said


def test_members_on_corrupted_images_are_said(pair: list[Run], invoke: Invoke) -> None:
    config = pair[1].config
    augmentation = replace(config.augmentation, corruption=0.5)
    pair[1].write_config(replace(config, augmentation=augmentation))
    said = invoke("ensemble", *(run.id for run in pair)).stdout
    assert "1 of 2 members of this ensemble was trained on corrupted images." in said


def test_why_it_cannot_be_made(pair: list[Run], invoke: Invoke) -> None:
    pair[1].predictions_path.unlink()
    said = invoke("ensemble", *(run.id for run in pair), status=1).stderr
    assert "run 2 is not finished" in said
    assert not [run for run in RunStore().list() if run.ensemble]
