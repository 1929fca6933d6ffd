"""Every command once through the real entry, in a real process, with real models."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from medmodel.core.config import TrainConfig
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.conftest import draw_class_folders

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--recipe", "document", "--size", "28", "--epochs", "1")


def medmodel(*arguments: object, status: int = 0) -> Any:
    """What a command says in JSON."""
    ended = subprocess.run(
        [sys.executable, "-m", "medmodel", *map(str, arguments), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    if not lines:
        return None
    return json.loads(lines[-1] if "watch" in arguments else ended.stdout)


@pytest.fixture
def alone(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of which no worker outlives the test."""
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu")
    yield workspace
    for process in psutil.process_iter(["cmdline"]):
        if any(str(workspace) in part for part in process.info["cmdline"] or []):
            process.kill()
            psutil.wait_procs([process], timeout=5)


def copied(run: Run, run_id: str) -> str:
    """Another run with the same model and predictions."""
    shutil.copytree(run.folder, run.folder.parent / run_id)
    return run_id


@pytest.mark.usefixtures("alone")
def test_from_a_folder_to_an_external_test(class_folders: Path, tmp_path: Path) -> None:
    assert medmodel("check", class_folders)["images"] == 24
    (trained,) = medmodel("train", class_folders, *QUICK, "--watch")["runs"]
    run = RunStore().get(trained["run"])
    assert trained["state"] == "done" and trained["test_images"] > 0
    assert medmodel("watch", run.id)["state"] == "done"
    assert medmodel("list")["runs"] == [trained]
    evaluated = medmodel("evaluate", run.id)
    assert evaluated["images"] == trained["test_images"]
    assert evaluated["metrics"]["accuracy"]["value"] == trained["test_accuracy"]
    twin = copied(run, "20200101-000000-aaa")
    assert medmodel("compare", run.id, twin)["differences"][0]["better"] is None
    image = next(class_folders.glob("dark/*.png"))
    (answer,) = medmodel("predict", run.id, image, "--anyway")["images"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    elsewhere = draw_class_folders(tmp_path / "data" / "elsewhere", seed=5)
    tested = medmodel("external-test", run.id, elsewhere, "--watch")
    assert tested["runs"][0]["test_of"] == run.id
    assert tested["runs"][0]["test_images"] == 24
    waiting = RunStore().create(TrainConfig(str(class_folders)))
    (stopped,) = medmodel("stop", waiting.id)["runs"]
    assert stopped["state"] in ("stopped", "running")  # a worker may have been there
    assert medmodel("resume", run.id, status=1) is None
    assert medmodel("doctor", "--quick")["ok"] is True
    assert "_MEDMODEL_COMPLETE" in medmodel("completion", "bash")["script"]
