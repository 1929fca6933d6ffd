"""An exported model of several findings answers as the run's; its script too."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import RunError
from medmodel.core.job import UNATTENDED
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.multi_label.run_findings import run_decisions
from medmodel.export.formats import FORMATS, TOLERANCE
from medmodel.export.metadata import model_metadata
from medmodel.export.report import archive_path
from medmodel.inference import export_model, prediction
from medmodel.inference.export_check import ask
from medmodel.networks.models import build_model
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run

SEEN = Preprocessing(32, colour="grey")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A model that was not trained, with thresholds and temperatures of its table."""
    run = write_findings_run(draw_findings_folder(tmp_path / "data" / "f", images=480))
    model = build_model("compact_resnet", SEEN, 2, seed=1, activation="sigmoid")
    model.save(run.model_path)
    run.write_model_facts(ModelFacts(list(FINDINGS), SEEN, [], 9))
    return run


def test_metadata_say_sigmoid_and_the_thresholds(run: Run) -> None:
    facts, decisions = model_metadata(run), run_decisions(run)
    assert facts["task"] == "multi-label classification"
    assert facts["output"]["activation"] == "sigmoid"
    assert [each["name"] for each in facts["findings"]] == list(FINDINGS)
    for each, decision in zip(facts["findings"], decisions, strict=True):
        assert each["threshold"] == decision.threshold
        assert each["temperature"] == decision.temperature
    run.findings_path.write_text("path,patient\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"findings\.csv"):
        model_metadata(run)
    run.findings_path.unlink()
    without = model_metadata(run)["findings"]
    assert [each["threshold"] for each in without] == [None, None]


def test_the_scripts_of_onnx_and_litert_say_what_diagnose_shows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_model, "_ask_in_own_process", ask)
    decisions = run_decisions(run)
    assert any(each.calibrated for each in decisions)
    for key in ("onnx", "litert"):
        report = export_model.export_model(run, key, UNATTENDED)
        assert report.faithful and report.same_class == 1 and report.thresholds
        folder = tmp_path / key
        with zipfile.ZipFile(archive_path(run, key)) as archive:
            archive.extractall(folder)
        assert (folder / "model_card.html").exists()
        done = subprocess.run(
            [sys.executable, "-I", "predict.py", "sample.png"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        pixels = np.asarray(Image.open(folder / "sample.png"))[None, ..., None]
        raw = prediction.predict(prediction.load(run), pixels)
        shown = {
            each.name: float(each.shown(raw[:, at])[0])
            for at, each in enumerate(decisions)
        }
        facts = json.loads((folder / "medmodel.json").read_text("utf-8"))
        assert json.loads(done.stdout) == pytest.approx(shown, abs=TOLERANCE)
        assert facts["sample"] == pytest.approx(shown, abs=TOLERANCE)
        found = [d.name for d in decisions if shown[d.name] >= d.threshold]
        said = ", ".join(found) or "none above its threshold"
        assert f"Predicted findings: {said}" in done.stderr


def test_the_keras_file_gives_each_findings_probability(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_model, "_ask_in_own_process", ask)
    assert export_model.export_model(run, "keras", UNATTENDED).faithful
    with zipfile.ZipFile(archive_path(run, "keras")) as archive:
        archive.extractall(tmp_path / "away")
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 1), np.uint8)
    answers = ask("keras", tmp_path / "away" / FORMATS["keras"].file, images)
    expected = prediction.predict(prediction.load(run), images)
    np.testing.assert_allclose(answers.probabilities, expected, atol=TOLERANCE)
