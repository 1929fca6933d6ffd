"""Commands about a model of several findings: evaluate, predict, their tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.multi_label.run_findings import run_findings
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.cli.stand_in_model import STRANGE, Model, image_file
from tests.conftest import draw_class_folders
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run
from tests.finished_run import write_finished_run


class FindingsModel(Model):
    """Stands in for the predictor: the brightness is the probability of both."""

    def ask(
        self,
        run_id: str,
        images: np.ndarray,
        compare: list[Any],
        multi_label: bool = False,
    ) -> list[Prediction]:
        assert multi_label
        light = images.max(axis=(1, 2, 3)) / 255
        rows = np.stack([light, light], axis=1).astype(np.float32)
        return [Prediction(list(FINDINGS), row, None, self.ood) for row in rows]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = FindingsModel()
    monkeypatch.setattr("medmodel.predictor.Predictor", model.started)
    return model


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    return write_findings_run(folder, "two findings")


def test_evaluation_as_json(run: Run, json_of: Callable[..., Any]) -> None:
    values, evaluation = json_of("evaluate", run.id), run_findings(run).evaluation
    assert (values["images"], values["patients"]) == (48, 24)
    assert values["metrics"]["auc"]["value"] == evaluation.mean_auc.value
    assert [each["finding"] for each in values["findings"]] == list(FINDINGS)
    first, result = values["findings"][0], evaluation.results[0]
    assert first["images"] == result.positives
    assert first["threshold"] == result.decision.threshold
    assert first["metrics"]["auc"]["low"] == result.auc.low
    assert first["metrics"]["sensitivity"]["value"] == result.rate("sensitivity").value
    assert values["left_out"] == [] and values["limits"]
    held = first["prediction_sets"]
    assert held["coverage"] == 0.95 and held["observed_with"]["n"] == first["images"]
    assert held["observed_without"]["value"] > 0.8 and 0 <= held["either"] < 1


def test_evaluation_as_text(run: Run, invoke: Invoke) -> None:
    evaluation = run_findings(run).evaluation
    said = invoke("evaluate", run.id).stdout
    assert str(evaluation.mean_auc) in said and "Mean AUC of 2 findings" in said
    assert str(evaluation.results[1].auc) in said and " %" in said
    assert "do not sum to 100 %" in said and "Calibration error" not in said
    assert "Prediction sets with 95 % coverage" in said
    assert "Calibration error" in invoke("evaluate", run.id, "--all").stdout
    refused = invoke("evaluate", run.id, "--by-group", status=2).stderr
    assert "one class; this one gives several findings" in refused


def test_documents_are_written(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    names = ("html", "pdf", "model-card", "predictions")
    options = [x for name in names for x in (f"--{name}", tmp_path / name)]
    assert invoke("evaluate", run.id, *options).stdout.count("Written: ") == 4
    assert (tmp_path / "pdf").read_bytes().startswith(b"%PDF")
    assert "Evaluation of two findings" in (tmp_path / "html").read_text()
    assert "Model card of two findings" in (tmp_path / "model-card").read_text()
    table = pd.read_csv(tmp_path / "predictions")
    assert len(table) == 96
    for decision in run_findings(run).decisions:
        shown = table[f"probability_{decision.name}"]
        flags = table[f"predicted_{decision.name}"].astype(bool)
        assert (flags == (shown >= decision.threshold)).all()
        raw = table[f"score_{decision.name}"].to_numpy()
        np.testing.assert_allclose(decision.shown(raw), shown)
        held = set(table[f"set_{decision.name}"])
        assert held <= {"present", "absent", "present|absent"} and len(held) > 1


def test_predictions_of_files(
    run: Run,
    model: Model,
    tmp_path: Path,
    invoke: Invoke,
    json_of: Callable[..., Any],
) -> None:
    dark, light = (image_file(tmp_path / f"{n}.png", n) for n in (0, 255))
    values = json_of("predict", run.id, dark, light)
    assert [each["finding"] for each in values["findings"]] == list(FINDINGS)
    assert all(0 < each["threshold"] < 1 for each in values["findings"])
    first, second = values["images"]
    assert first["predicted_findings"] == []
    assert second["predicted_findings"] == list(FINDINGS)
    assert sum(second["probabilities"].values()) > 1.5
    assert first["prediction_sets"] == {name: ["absent"] for name in FINDINGS}
    assert second["prediction_sets"]["bright"] == ["present"]
    said = invoke("predict", run.id, dark, light).stdout
    assert f"{dark}: No finding above its threshold" in said
    assert "With 95 % coverage: present: bright, striped." in said
    assert f"{light}: Predicted findings: bright (> 99 %), striped (> 99 %)" in said
    model.ood = STRANGE
    (image,) = json_of("predict", run.id, light)["images"]
    assert image["probabilities"] is None and image["predicted_findings"] is None
    assert "no prediction is shown" in invoke("predict", run.id, light).stdout


def test_without_thresholds_nothing_is_predicted(
    run: Run, model: Model, tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    run.findings_path.write_text("path,patient,split\n")
    light = image_file(tmp_path / "light.png", 255)
    values = json_of("predict", run.id, light)
    assert values["findings"][0]["threshold"] is None
    assert "is damaged" in values["thresholds_unknown"]
    assert values["images"][0]["predicted_findings"] == []
    assert not math.isnan(values["images"][0]["probabilities"]["bright"])
    assert "is damaged" in invoke("predict", run.id, light).stdout


def test_models_are_compared_finding_by_finding(
    run: Run, tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    other = write_findings_run(Path(run.config.dataset), "other", 1, sharpness=0.1)
    values = json_of("compare", run.id, other.id)
    assert values["images"] == 48
    named = [each["finding"] for each in values["differences"]]
    assert named == [None, *FINDINGS]
    area = values["models"][0]["findings"]["bright"]["auc"]["value"]
    assert area == run_findings(run).evaluation.results[0].auc.value
    said = invoke("compare", run.id, other.id).stdout
    assert "48 test images are common to all" in said
    assert all(each["sentence"] in said for each in values["differences"])
    one_class = write_finished_run(
        draw_class_folders(tmp_path / "data" / "set", images_per_class=3), "one class"
    )
    refused = invoke("compare", run.id, one_class.id, status=1).stderr
    assert "no number in which both could be compared" in refused
