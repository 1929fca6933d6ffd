"""Diagnose and Compare in presenter mode with models of several findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.evaluation.multi_label.run_findings import run_findings
from medmodel.runs.run import Run
from pages._shared.prediction import prediction_cache
from pages._shared.presenter import diagnose_scene
from tests.conftest import draw_class_folders
from tests.findings_folder import draw_findings_folder
from tests.findings_run import write_findings_run
from tests.finished_run import write_finished_run
from tests.pages.presenter.projector import Projector, opened, pressed
from tests.pages.test_findings_pages import BrightIsBright


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=320)
    good = write_findings_run(folder, "good", sharpness=0.9)
    return [good, write_findings_run(folder, "bad", seed=1, sharpness=0.05)]


def test_the_verdict_on_the_mean_and_on_each_finding(
    projector: Projector, runs: list[Run]
) -> None:
    app = opened("compare", runs=",".join(run.id for run in runs))
    slide = projector.data["slide"]
    assert slide["title"].startswith("good is better than bad by")
    assert slide["sentence"].startswith("Mean AUC of the findings with its 95 %")
    mean = run_findings(runs[0]).evaluation.mean_auc
    assert (slide["bars"][0]["name"], slide["bars"][0]["text"]) == ("good", str(mean))
    pressed(app, projector, "down")
    slide = projector.data["slide"]
    assert slide["sentence"].startswith("AUC of bright with its 95 % interval. 160")
    assert "corrected for all 2 tests (Holm)" in slide["notes"][0]
    pressed(app, projector, "down")
    pressed(app, projector, "down")
    assert projector.data["slide"]["sentence"].startswith("Mean AUC")


def test_the_two_newest_of_a_data_set_are_compared(
    projector: Projector, runs: list[Run]
) -> None:
    opened("compare", dataset=runs[0].config.dataset)
    assert {bar["name"] for bar in projector.data["slide"]["bars"]} == {"good", "bad"}


def test_models_of_two_kinds_are_not_compared(
    projector: Projector, runs: list[Run], tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=30)
    other = write_finished_run(folder, "one class")
    opened("compare", runs=f"{runs[0].id},{other.id}")
    assert "no number in which both could" in projector.data["slide"]["sentence"]


def test_an_image_has_a_bar_and_a_threshold_of_each_finding(
    projector: Projector, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_cache, "shared", BrightIsBright)
    monkeypatch.setattr(diagnose_scene, "starting", lambda: False)
    app = opened("diagnose", run=runs[0].id)
    pressed(app, projector, "action")
    pressed(app, projector, "action")
    slide = projector.data["slide"]
    assert slide["title"].startswith(("Predicted findings: bright", "No finding"))
    assert "Findings in the data set" in slide["sentence"]
    assert [bar["name"] for bar in slide["bars"]] == ["bright", "striped"]
    assert all("(threshold" in bar["text"] for bar in slide["bars"])
    assert len(slide["images"]) == 2
    assert any("do not sum to 100 %" in note for note in slide["notes"])
    assert not any("most probable class" in note for note in slide["notes"])
