"""docs/command-line.md: every example runs, every JSON has the keys that it names."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmodel import predictor
from medmodel.cli import COMMANDS, doctor, watch
from medmodel.cli.doctor.finding import Finding
from medmodel.core.config import TrainConfig
from medmodel.core.processes import background
from medmodel.data import synthetic
from medmodel.export import task
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus, Status
from tests.cli.conftest import Invoke
from tests.cli.stand_in_model import Model
from tests.cli.test_batches import write_batch
from tests.cli.test_import_model import stand_in_import
from tests.conftest import draw_class_folders
from tests.corrupted import write_corrupted
from tests.exported_model import write_export
from tests.finished_run import create_ended, write_finished_run
from tests.foreign_models import write_onnx
from tests.test_docs import first_cells, section
from tests.written_sweep import write_sweep

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "command-line.md").read_text()
EXAMPLES = {
    name: [
        line.removeprefix("medmodel ")
        for block in re.findall(r"```sh\n(.*?)```", section(TEXT, name), re.DOTALL)
        for line in block.splitlines()
    ]
    for name in COMMANDS
}
# Their keys are those of names that may be anything.
NAMED = {"probabilities", "mapping", "metrics", "versions", "values", "importance"}
ESTIMATES = {"accuracy", "difference"}


class World:
    """A workspace in which every example can run, and what stands for its words."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=30)
        self.run = write_finished_run(folder, "first", sharpness=3.0)
        self.other = write_finished_run(folder, "other", sharpness=0.5, seed=1)
        # Which is never loaded.
        self.run.model_path.touch()
        (self.run.folder / "model.json").touch()
        write_corrupted(self.run, images=8, blurred=8)
        self.folder = draw_class_folders(
            tmp_path / "data" / "elsewhere", ("dark", "bright"), 3
        )
        self.sweep = write_sweep(folder, self.run.id)
        self.batch = write_batch(self.run, folder)
        self.stopped = create_ended(TrainConfig(str(folder)))
        self.stopped.write_status(Status(RunStatus.STOPPED))
        for name in ("image.png", "other.png"):
            pixels = np.full((40, 40), 200, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name)

    def arguments(self, example: str) -> list[str]:
        """The words of an example."""
        words = {
            "RUN": self.run.id,
            "OTHER": self.other.id,
            "FOLDER": str(self.folder),
            "STOPPED": self.stopped.id,
            "SWEEP": self.sweep.id,
            "BATCH": self.batch.id,
        }
        if "RUNNING" in example:
            words["RUNNING"] = RunStore().create(TrainConfig("/data")).id
        return [words.get(word, word) for word in shlex.split(example)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(
        synthetic, "write_phantoms", lambda folder: draw_class_folders(folder)
    )
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setattr(predictor, "Predictor", Model().started)
    monkeypatch.setattr(task, "start_export", write_export)
    monkeypatch.setattr(
        doctor.python, "tensorflow_finding", lambda n: Finding("tensorflow", "ok", "")
    )
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "model.onnx")
    (tmp_path / "labels.txt").write_text("0 normal\n1 lesion\n")
    made = World(tmp_path)
    stand_in_import(made.run, monkeypatch)
    yield made
    for process in background._processes:  # of checks
        process.wait()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is watched is done at once."""

    def finish(store: RunStore) -> None:
        for run, status in list(queue.waiting(store)):
            run.write_status(replace(status, state=RunStatus.DONE, phase="finished"))

    monkeypatch.setattr(queue, "ensure_worker", finish)
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.0)


def test_every_command_has_its_section_with_examples() -> None:
    sections = re.findall(r"^## (\S+)$", TEXT, re.M)
    assert [name for name in sections if name in COMMANDS] == list(COMMANDS)
    assert all(
        example.split()[0] == name for name in COMMANDS for example in EXAMPLES[name]
    )
    assert all(EXAMPLES.values())


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("name", COMMANDS)
def test_examples_run(name: str, world: World, invoke: Invoke) -> None:
    for example in EXAMPLES[name]:
        if name == "watch":
            RunStore().create(TrainConfig("/data"))
        status = 1 if "--url" in example else 0
        result = invoke(*world.arguments(example), status=status)
        assert result.stdout
        if "--json" in example:
            texts = [result.stdout]
            if name == "watch":
                texts = result.stdout.splitlines()
            assert all(map(json.loads, texts))


def keys(value: Any, name: str = "") -> Iterator[str]:
    """Names of all keys of a JSON, `[]` for items of a list, `*` for any name."""
    if isinstance(value, dict):
        last = name.rpartition(".")[2]
        for key, item in value.items():
            free = (
                last in NAMED | ESTIMATES or name.endswith(".*") or (name == "classes")
            )
            yield from keys(item, f"{name}.{'*' if free else key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, f"{name}[]")
    else:
        yield name


def documented(name: str) -> set[str]:
    return set(first_cells(section(TEXT, name)))


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("check", "check {dirty} --files --json"),
        ("list", "list --json"),
        ("evaluate", "evaluate RUN --json"),
        ("compare", "compare RUN OTHER --json"),
        ("robustness", "robustness RUN --json"),
        ("doctor", "doctor --quick --json"),
        ("completion", "completion zsh --json"),
    ],
)
def test_keys_are_those_of_the_documentation(
    name: str, example: str, world: World, invoke: Invoke
) -> None:
    dirty = world.folder.parent / "dirty"
    draw_class_folders(dirty, images_per_class=3)
    (dirty / "dark" / "bad.png").write_bytes(b"x")
    shutil.copy(dirty / "dark" / "dark_000.png", dirty / "dark" / "copy.png")
    (dirty / "note.txt").write_text("x")
    (world.other.folder / "history.csv").write_bytes(b"\xff\xfe\x00")
    arguments = world.arguments(example.format(dirty=dirty))
    said = set(keys(json.loads(invoke(*arguments).stdout)))
    # Lists without items have no key of their own.
    missing = {"list": {"damaged[]"}, "robustness": {"falls[]"}}.get(name, set())
    assert said | missing == documented(name)


def test_keys_of_predictions(world: World, invoke: Invoke) -> None:
    arguments = world.arguments("predict RUN image.png --json")
    said = set(keys(json.loads(invoke(*arguments).stdout)))
    # Nothing is tied here, and a list without items has no key of its own.
    assert said | {"images[].tied[]"} == documented("predict")


@pytest.mark.usefixtures("trained")
def test_keys_of_what_waits(world: World, invoke: Invoke) -> None:
    test = invoke(*world.arguments("external-test RUN FOLDER --json")).stdout
    said = set(keys(json.loads(test)))
    assert said - documented("list") == documented("external-test")
    said = set(keys(json.loads(invoke("train", "sample", "--json").stdout)))
    assert said == {key for key in documented("list") if key.startswith("runs[]")}


def test_keys_of_an_import(world: World, invoke: Invoke) -> None:
    said = invoke("import", "model.onnx", "--labels", "labels.txt", "--json").stdout
    assert set(keys(json.loads(said))) == documented("import")


def test_keys_of_a_sweep(world: World, invoke: Invoke) -> None:
    said = invoke(*world.arguments("sweep --show SWEEP --json")).stdout
    assert set(keys(json.loads(said))) == documented("sweep")


def test_keys_of_a_batch(world: World, invoke: Invoke) -> None:
    world.batch.write_status(Status(RunStatus.STOPPED))
    said = invoke("resume", world.batch.id, "--json").stdout
    names = {key for key in documented("list") if key.startswith("batches[]")}
    assert set(keys(json.loads(said))) == names


def test_keys_of_a_watched_run(world: World, invoke: Invoke) -> None:
    failure = Failure("data", "No.", "Try.")
    status = replace(world.run.status, state=RunStatus.FAILED, failure=failure)
    world.run.write_status(status)
    said = invoke("watch", world.run.id, "--json", status=1).stdout
    assert set(keys(json.loads(said))) == documented("watch")
