"""Exported models answer as the run's, alone with what their ZIP file holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from medmodel.core.errors import PredictionError
from medmodel.core.job import UNATTENDED
from medmodel.core.storage import write_json
from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.export.formats import FORMATS, TOLERANCE
from medmodel.export.report import (
    ExportReport,
    archive_path,
    export_folder,
    load_report,
)
from medmodel.export.task import export_state, start_export
from medmodel.inference import export_model, prediction
from medmodel.inference.export_check import Answers, ask
from medmodel.runs.run import Run
from tests.tiny_run import make_tiny_run


@pytest.fixture
def run(class_folders: Path) -> Run:
    return make_tiny_run(class_folders, "tiny")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares the start of another one."""
    monkeypatch.setattr(export_model, "_ask_in_own_process", ask)


def unpacked(run: Run, key: str, folder: Path) -> Path:
    with zipfile.ZipFile(archive_path(run, key)) as archive:
        archive.extractall(folder)
    return folder


def facts_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "medmodel.json").read_text("utf-8"))
    return values


def test_onnx_alone_gives_the_same_probabilities(run: Run, tmp_path: Path) -> None:
    calibration = Temperature(2.0, 1.5, 2.5, 100, False)
    write_json(run.folder / "calibration.json", calibration)
    report = export_model.export_model(run, "onnx", UNATTENDED)
    assert (report.images, report.drawn) == (12, 20)
    assert report.largest_difference <= TOLERANCE and report.same_class == 1
    assert report.faithful and load_report(run, "onnx") == report
    folder = unpacked(run, "onnx", tmp_path / "away")
    assert sorted(p.name for p in folder.iterdir()) == [
        *("medmodel.json", "model.onnx", "model_card.html"),
        *("predict.html", "predict.py", "report.json", "sample.png"),
    ]
    names = sorted(p.name for p in export_folder(run, "onnx").iterdir())
    assert names == ["export.zip", "model.onnx", "report.json"]
    # The script knows nothing of this program.
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "sample.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    facts = facts_of(folder)
    assert json.loads(done.stdout) == pytest.approx(facts["sample"], abs=1e-6)
    assert list(facts["sample"]) == facts["classes"] == ["dark", "light"]
    assert facts["input"]["shape"] == [32, 32, 1]
    assert sum(facts["sample"].values()) == pytest.approx(1, abs=1e-5)
    # As Diagnose shows them: calibrated, here to half as sure.
    assert report.temperature == facts["temperature"] == 2.0
    raw = ask("onnx", folder / "model.onnx", sample(folder)).probabilities[0]
    softer = raw**0.5 / (raw**0.5).sum()
    assert list(facts["sample"].values()) == pytest.approx(softer.tolist(), abs=1e-5)
    model = onnx.load(folder / "model.onnx")
    (entry,) = model.metadata_props
    assert entry.key == "medmodel"
    inside = json.loads(entry.value)
    assert inside == {k: v for k, v in facts.items() if k != "sample"}
    assert model.opset_import[0].version == 17
    assert str(tmp_path / "data") not in (folder / "medmodel.json").read_text("utf-8")


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("key", ["onnx", "keras"])
def test_test_time_augmentation_goes_along(run: Run, key: str) -> None:
    run.write_model_facts(replace(run.model_facts, flips="horizontal"))
    assert export_model.export_model(run, key, UNATTENDED).faithful
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 1), np.uint8)
    path = export_folder(run, key) / FORMATS[key].file
    expected = prediction.predict(prediction.load(run), images)
    np.testing.assert_allclose(
        ask(key, path, images).probabilities, expected, atol=TOLERANCE
    )


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("key", ["saved_model", "keras", "litert"])
def test_other_formats(run: Run, key: str, tmp_path: Path) -> None:
    report = export_model.export_model(run, key, UNATTENDED)
    assert report.faithful and report.largest_difference <= TOLERANCE
    assert report.versions["keras"]
    # Once each weight, and little more than that.
    weights = 4 * prediction.load(run).model.count_params()
    assert 0.9 * weights < report.bytes < weights + 600_000
    folder = unpacked(run, key, tmp_path / "away")
    assert (folder / FORMATS[key].file).exists()
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 1), np.uint8)
    loaded = ask(key, folder / FORMATS[key].file, images).probabilities
    expected = prediction.predict(prediction.load(run), images)
    np.testing.assert_allclose(loaded, expected, atol=TOLERANCE)
    facts = {k: v for k, v in facts_of(folder).items() if k != "sample"}
    assert stored_facts(key, folder / FORMATS[key].file) == facts


def stored_facts(key: str, path: Path) -> Any:
    """What the model file itself holds."""
    if key == "saved_model":
        return json.loads((path / "assets.extra" / "medmodel.json").read_text("utf-8"))
    if key == "keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("medmodel.json"))
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    (entry,) = [m for m in model.metadata if m.name == b"medmodel"]
    return json.loads(bytes(model.buffers[entry.buffer].data))


@pytest.mark.usefixtures("in_this_process")
def test_as_much_has_eight_bits_as_leaves_images_their_class(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounded(enough: float) -> ExportReport:
        monkeypatch.setattr(export_model, "INT8_ENOUGH", enough)
        return export_model.export_model(run, "litert_int8", UNATTENDED)

    whole = export_model.export_model(run, "litert", UNATTENDED)
    # Without training images there are no ranges of what is between layers.
    weights = rounded(-1.0)
    assert (whole.rounded, weights.rounded) == ("", "weights")
    split = run.split_path.read_text("utf-8")
    (run.folder / "checksums.json").unlink()
    run.split_path.write_text(split.replace("val", "train"), "utf-8")
    throughout, mixed = rounded(-1.0), rounded(1.1)
    assert (throughout.rounded, mixed.rounded) == ("all", "mixed")
    assert throughout.bytes < weights.bytes < mixed.bytes < 0.5 * whole.bytes
    off = [each.largest_difference for each in (throughout, weights, mixed)]
    assert 0.2 > off[0] > off[1] > off[2] > 1e-7 and off[1] < 0.05
    assert throughout.faithful == (throughout.same_class >= 0.98)
    monkeypatch.setattr(export_model, "INT8_AGREEMENT", 1.1)
    with pytest.raises(PredictionError, match="not given out in 8 bits"):
        rounded(1.1)
    assert load_report(run, "litert_int8") is None


@pytest.mark.usefixtures("in_this_process")
def test_of_what_passes_the_best_is_taken(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = iter([0.985, 0.97])  # of "weights", then by chance less of "mixed"
    monkeypatch.setattr(export_model, "agreement", lambda *_, **__: next(kept))
    report = export_model.export_model(run, "litert_int8", UNATTENDED)
    assert report.rounded == "weights" and next(kept, None) is None


@pytest.mark.usefixtures("in_this_process")
def test_nothing_is_known_of_images_that_are_away_so_the_closest_is_taken(
    run: Run, class_folders: Path
) -> None:
    class_folders.rename(class_folders.with_name("moved"))
    report = export_model.export_model(run, "litert_int8", UNATTENDED)
    assert (report.rounded, report.images, report.drawn) == ("mixed", 0, 32)


@pytest.mark.usefixtures("in_this_process")
def test_images_that_are_away_are_drawn(run: Run, class_folders: Path) -> None:
    class_folders.rename(class_folders.with_name("moved"))
    report = export_model.export_model(run, "keras", UNATTENDED)
    assert (report.images, report.drawn) == (0, 32)


def test_a_model_that_answers_otherwise_is_not_given(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(key: str, model: Path, images: np.ndarray) -> Answers:
        answers = ask(key, model, images)
        shifted = answers.probabilities + np.array([2 * TOLERANCE, -2 * TOLERANCE])
        return Answers(shifted.astype(np.float32), 1.0, 1)

    monkeypatch.setattr(export_model, "_ask_in_own_process", wrong)
    with pytest.raises(PredictionError, match="answers otherwise"):
        export_model.export_model(run, "keras", UNATTENDED)
    assert load_report(run, "keras") is None
    assert not archive_path(run, "keras").exists()


def test_a_file_that_cannot_be_loaded_again(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    images = np.zeros((1, 32, 32, 1), np.uint8)
    with pytest.raises(PredictionError, match="cannot be loaded again"):
        export_model._ask_in_own_process("onnx", broken, images)


def test_in_the_background(run: Run) -> None:
    start_export(run, "keras")
    while export_state(run, "keras").running:
        time.sleep(0.1)
    state = export_state(run, "keras")
    assert (state.phase, state.error) == ("finished", "")
    report = load_report(run, "keras")
    assert report is not None and report.faithful
    # Whoever trains on has another model.
    newest = archive_path(run, "keras").stat().st_mtime + 10
    os.utime(run.model_path, (newest, newest))
    assert load_report(run, "keras") is None


def sample(folder: Path) -> np.ndarray:
    return np.asarray(Image.open(folder / "sample.png"))[None, :, :, None]
