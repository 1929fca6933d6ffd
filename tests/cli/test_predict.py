"""`medmodel predict`: what a model says, and when it says nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medmodel.batch import jobs, table
from medmodel.batch.table import ImageRow
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import write_json
from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.imaging.untrusted import open_image
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus
from medmodel.runs.tables.split import read_split, write_split
from tests.cli.conftest import Invoke
from tests.cli.stand_in_model import STRANGE, Model, image_file
from tests.finished_run import write_finished_run


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "a model")


def test_probabilities_of_every_class(
    run: Run,
    model: Model,
    tmp_path: Path,
    workspace: Path,
    invoke: Invoke,
    json_of: Callable[..., Any],
) -> None:
    dark, light = (image_file(tmp_path / f"{n}.png", n) for n in (0, 255))
    values = json_of("predict", run.id, dark, light)
    assert values["run"] == run.id and values["calibrated"] is False
    assert [image["file"] for image in values["images"]] == [str(dark), str(light)]
    # Black borders make a square of 60 × 40 pixels.
    assert values["images"][0]["probabilities"]["dark"] == pytest.approx(1.0)
    assert values["images"][1]["predicted"] == "light"
    assert values["images"][0]["unlike_training"] is False
    assert values["images"][0]["split"] is None and not values["images"][0]["error"]
    assert model.asked == [2] and model.closed == 1
    invoke("predict", run.id, dark, "--anyway")
    assert "nevertheless" not in (workspace / "audit.jsonl").read_text()
    result = invoke("predict", run.id, dark)
    assert result.stdout.startswith(f"{dark}: dark > 99 %, light < 1 %\n")
    assert "not calibrated" in result.stdout
    assert result.stderr.startswith("Not for clinical use.")
    actions = [
        json.loads(line)
        for line in (workspace / "audit.jsonl").read_text().split("\n")
        if line
    ]
    assert [(a["action"], a["facts"]["images"]) for a in actions] == [
        ("predict", 2),
        ("predict", 1),
        ("predict", 1),
    ]


def test_calibrated_probabilities(
    run: Run, model: Model, tmp_path: Path, json_of: Callable[..., Any], invoke: Invoke
) -> None:
    model.temperature = Temperature(2.0, 1.5, 2.5, 100, False)
    file = image_file(tmp_path / "a.png", 255)
    values = json_of("predict", run.id, file)
    raw = model.ask("", np.full((1, 4, 4, 1), 170, np.uint8), [None])[0].raw
    assert values["calibrated"] is True
    assert values["images"][0]["probabilities"]["light"] < raw[1]
    assert "not calibrated" not in invoke("predict", run.id, file).stdout


def test_images_unlike_the_training_data_have_no_probabilities(
    run: Run,
    model: Model,
    tmp_path: Path,
    workspace: Path,
    invoke: Invoke,
    json_of: Callable[..., Any],
) -> None:
    model.ood = STRANGE
    file = image_file(tmp_path / "cat.png", 100)
    (image,) = json_of("predict", run.id, file)["images"]
    assert image["unlike_training"] is True and image["probabilities"] is None
    assert image["predicted"] is None and "hardly anything like it" in image["withheld"]
    said = invoke("predict", run.id, file).stdout
    assert "no prediction is shown" in said and "%," not in said.split("about")[0]
    (image,) = json_of("predict", run.id, file, "--anyway")["images"]
    assert image["unlike_training"] is True and image["withheld"] is None
    assert image["predicted"] == "dark"
    said = invoke("predict", run.id, file, "--anyway").stdout
    assert "It is unlike the training data." in said
    assert (workspace / "audit.jsonl").read_text().count('"nevertheless"') == 2


def test_what_is_not_known_is_said(
    run: Run, model: Model, tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    model.ood = None
    file = image_file(tmp_path / "a.png", 0)
    (image,) = json_of("predict", run.id, file)["images"]
    assert image["unlike_training"] is None and image["probabilities"]
    assert "is not known" in invoke("predict", run.id, file).stdout


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "was trained on this very image"),
        ("val", "one of the validation images"),
    ],
)
def test_images_that_the_model_has_seen(
    split: str,
    words: str,
    run: Run,
    model: Model,
    tmp_path: Path,
    invoke: Invoke,
    json_of: Callable[..., Any],
) -> None:
    file = image_file(tmp_path / "a.png", 9)
    digest = open_image(file.read_bytes()).digest
    table = read_split(run)
    digests = [digest, *(f"{n:032x}" for n in range(len(table) - 1))]
    table = table.assign(split=split, digest=digests)
    write_split(run, table)
    model.ood = STRANGE
    options = [] if split == "train" else ["--anyway"]
    (image,) = json_of("predict", run.id, file, *options)["images"]
    assert image["split"] == split and image["predicted"]
    assert words in invoke("predict", run.id, file, *options).stdout


def test_files_that_cannot_be_read_are_named_and_the_others_answered(
    run: Run, model: Model, tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    good = image_file(tmp_path / "good.png", 0)
    bad, empty = tmp_path / "bad.png", tmp_path / "empty.png"
    bad.write_bytes(b"no image at all")
    empty.write_bytes(b"")
    images = json_of("predict", run.id, bad, good, empty, status=1)["images"]
    assert [bool(image["error"]) for image in images] == [True, False, True]
    assert "bad.png" in images[0]["error"] and images[1]["predicted"] == "dark"
    result = invoke("predict", run.id, bad, good, status=1)
    assert "bad.png" in result.stderr and "bad.png" not in result.stdout
    model.asked.clear()
    invoke("predict", run.id, bad, status=1)
    assert model.asked == []


def test_frames_are_counted_as_people_do(
    run: Run, model: Model, tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    pages = [Image.fromarray(np.full((40, 40), n, np.uint8)) for n in (0, 255)]
    file = tmp_path / "pages.tif"
    pages[0].save(file, save_all=True, append_images=pages[1:])
    (image,) = json_of("predict", run.id, file)["images"]
    assert (image["frame"], image["frames"]) == (0, 2)
    assert "Image 1 of 2 in this file." in invoke("predict", run.id, file).stdout
    write_json(
        run.folder / "model.json",
        replace(run.model_facts, preprocessing=Preprocessing(size=32, frame=5)),
    )
    (image,) = json_of("predict", run.id, file)["images"]
    assert (image["frame"], image["predicted"]) == (1, "light")


def test_wrong_use(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    invoke("predict", run.id, status=2)
    invoke("predict", run.id, tmp_path / "absent.png", status=2)
    invoke("predict", run.id, tmp_path, status=2)


def test_a_run_without_a_model(tmp_path: Path, run: Run, invoke: Invoke) -> None:
    run.model_path.unlink()
    file = image_file(tmp_path / "a.png", 0)
    assert "no trained model" in invoke("predict", run.id, file, status=1).stderr


@pytest.fixture
def answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a worker: every batch has two lines when it is first looked at."""

    def work(store: RunStore) -> None:
        for batch in jobs.batch_store().list():
            rows = [
                ImageRow("a.png", scores=[0.9, 0.1], unlike_training=True),
                ImageRow("b.png", problem="b.png is empty (0 bytes)."),
            ]
            table.append(batch.folder / table.FILE, ["dark", "light"], rows)
            batch.write_status(replace(batch.status, state=RunStatus.DONE))

    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    monkeypatch.setattr(jobs.queue, "notify_queue", work)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_is_a_batch_whose_table_is_written(
    run: Run,
    answered_at_once: None,
    class_folders: Path,
    tmp_path: Path,
    json_of: Callable[..., Any],
    ending: str,
) -> None:
    output = tmp_path / f"scores.{ending}"
    values = json_of("predict", run.id, class_folders, "--output", output, status=1)
    (batch,) = jobs.batch_store().list()
    assert values == {
        "batch": batch.id,
        "output": str(output),
        "images": 2,
        "unreadable": 1,
        "unlike_training": 1,
    }
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    assert list(read(output)["path"]) == ["a.png", "b.png"]


def test_a_table_and_a_zip_file_are_batches(
    run: Run,
    answered_at_once: None,
    class_folders: Path,
    tmp_path: Path,
    invoke: Invoke,
) -> None:
    listed = class_folders / "list.csv"
    listed.write_text("file\ndark_000.png\n")
    packed = tmp_path / "more.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(class_folders / "dark" / "dark_000.png", "dark_000.png")
    for source in (listed, packed):
        result = invoke(
            "predict", run.id, source, "--output", tmp_path / "t.csv", status=1
        )
        assert result.stdout.startswith("2 images in")
    zipped, named = jobs.batch_store().list()
    assert jobs.batch_request(named).table == "list.csv"
    assert jobs.batch_request(zipped).table == ""
    assert Path(zipped.config.dataset).name == "more"


def test_a_batch_needs_a_place_for_its_table(
    run: Run, class_folders: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for more in ([], ["--output", tmp_path / "t.xlsx"]):
        result = invoke("predict", run.id, class_folders, *more, status=2)
        assert "--output FILE.csv" in result.stderr
    result = invoke("predict", run.id, class_folders, class_folders, status=2)
    assert "one folder alone" in result.stderr
    assert not jobs.batch_store().list()


def test_a_batch_that_fails_says_why(
    run: Run,
    class_folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
) -> None:
    def fail(store: RunStore) -> None:
        for batch in jobs.batch_store().list():
            failure = Failure("data", "It holds no image.", "Choose another.")
            batch.write_status(
                replace(batch.status, state=RunStatus.FAILED, failure=failure)
            )

    monkeypatch.setattr(jobs.queue, "notify_queue", fail)
    output = tmp_path / "t.csv"
    result = invoke("predict", run.id, class_folders, "--output", output, status=1)
    assert "It holds no image. Choose another." in result.stderr
    assert not output.exists()
