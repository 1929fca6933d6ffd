"""Evaluate and Diagnose with a model of several findings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.errors import RunError
from medmodel.data.multi_label.findings import NO_FINDING
from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.ood.results import Neighbour
from medmodel.language import speaking
from medmodel.reports.multi_label.finding_sentences import predicted_sentence
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import read_findings, truth_and_score, write_findings
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.common import run_cache
from pages._shared.multi_label.diagnosis_view import decisions_of, worth_sentence
from pages._shared.prediction import prediction_cache
from pages._shared.prediction.ood_view import neighbour_text
from tests.conftest import draw_class_folders
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_folds, write_findings_run
from tests.pages.page import labels, open_page, press, said


class BrightIsBright:
    """Stands for the predictor: bright images are bright, none is striped."""

    state = "ready"

    def warm(self, run_id: str) -> None:
        """Nothing to load."""

    def ask(
        self,
        run_id: str,
        images: np.ndarray,
        heatmap_for: object = None,
        compare: object = None,
        multi_label: bool = False,
    ) -> list[Prediction]:
        """As `Predictor.ask`."""
        assert multi_label
        bright = [0.9 if image.mean() > 100 else 0.1 for image in images]
        heatmap = np.zeros((40, 40), np.float32)
        return [
            Prediction(list(FINDINGS), np.array([b, 0.02], np.float32), heatmap=heatmap)
            for b in bright
        ]

    def explain(self, *arguments: object) -> np.ndarray:
        """As `Predictor.explain`."""
        return np.zeros((40, 40), np.float32)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    run = write_findings_run(folder)
    monkeypatch.setattr(prediction_cache, "shared", BrightIsBright)
    return run


def test_evaluate_shows_each_finding(run: Run) -> None:
    app = open_page("results/evaluate.py", run=run.id)
    assert not app.error
    assert "Mean AUC" in [metric.label for metric in app.metric]
    table = app.dataframe[0].value
    assert list(table["Image finding"]) == list(FINDINGS)
    assert "Mean AUC of 2 findings" in said(app)


@pytest.mark.parametrize("view", ["Curves", "Calibration"])
def test_evaluate_shows_curves_and_calibration_of_a_finding(
    run: Run, view: str
) -> None:
    app = open_page("results/evaluate.py", run=run.id, view=view)
    assert not app.error and app.get("plotly_chart")
    write_findings_of(run, lambda t: (t["split"] == "val") | ~t["true_striped"])
    app = open_page("results/evaluate.py", run=run.id, view=view)
    app.selectbox(key="evaluated-finding").set_value("striped").run()
    assert not app.exception and not app.get("plotly_chart")
    assert "test images with striped: 0" in app.info[0].value


def test_evaluate_measures_the_sets_of_a_finding(run: Run) -> None:
    app = open_page("results/evaluate.py", run=run.id, view="Calibration")
    (rows,) = [d.value for d in app.dataframe if "Target coverage" in d.value]
    # 24 validation images of either kind promise 95 %, and not 99 %.
    assert list(rows["Target coverage"]) == ["80 %", "90 %", "95 %"]
    words = said(app)
    assert "Validation images with it: 24, without it: 24" in words
    assert "Too few for a target coverage of 99 %" in words


def test_evaluate_shows_what_the_folds_say_together(run: Run) -> None:
    folds = write_findings_folds(Path(run.config.dataset))
    app = open_page("results/evaluate.py", run=folds[0].id)
    assert not app.error and not app.exception
    assert "2 folds, seed 0" in said(app)
    table = app.dataframe[1].value
    assert list(table["Image finding"]) == [*FINDINGS, "Mean AUC"]
    assert "Each of the 96 images of 48 patients was predicted once" in said(app)
    assert "left out of its mean" not in said(app)
    answers = read_findings(folds[1])
    pairs = [truth_and_score(answers, name) for name in FINDINGS]
    truth, scores = (np.stack(each, axis=1) for each in zip(*pairs, strict=True))
    truth[answers["split"] == "test", 1] = False
    write_findings(folds[1], FINDINGS, answers, (truth, scores))
    app = open_page("results/evaluate.py", run=folds[0].id)
    assert "or none, are left out of its mean: striped." in said(app)
    folds[1].findings_path.unlink()
    assert "when every one has ended" in said(
        open_page("results/evaluate.py", run=folds[0].id)
    )


def test_evaluate_gives_documents_and_tables_away(run: Run) -> None:
    app = open_page("results/evaluate.py", run=run.id, view="Export")
    assert not app.error and not app.exception
    names = [button.proto.label for button in app.get("download_button")]
    assert {"One page (PDF)", "Everything (HTML)", "All metrics"} < set(names)


def diagnosed(run: Run) -> AppTest:
    """Diagnose with an answer to three test images."""
    app = open_page("results/diagnose.py", run=run.id)
    understood = [name for name in labels(app) if "understand" in name.lower()]
    if understood:
        press(app, understood[0])
    return press(app, "Try 3 images from this run's test split")


def test_diagnose_names_findings_above_their_thresholds(run: Run) -> None:
    app = diagnosed(run)
    assert not app.error
    answers = " ".join(str(e.proto.body) for e in app.get("html"))
    assert ("Predicted findings: bright (90 %)" in answers) != (
        "No finding above its threshold" in answers
    )
    assert "do not sum to" in said(app)
    assert "With 95 % coverage: " in said(app) and "Too few" not in said(app)
    images = app.selectbox(key="findings-case")
    assert "their findings are known" in images.help
    images.set_value(images.options[-1]).run()
    app.slider[0].set_value(30).run()
    assert not app.exception and not app.error
    kept = app.selectbox(key="findings-case")
    assert Path(kept.value).name == kept.options[-1]


@pytest.mark.parametrize(
    ("label", "named"), [("bright|striped", "bright + striped"), (NO_FINDING, "无征象")]
)
def test_a_neighbour_names_its_findings(run: Run, label: str, named: str) -> None:
    with speaking("zh_Hans"):
        text = neighbour_text(run.config, Neighbour("a.png", label, 1.0))
    assert text.startswith(named)


def test_a_damaged_table_is_not_called_too_few_images(run: Run) -> None:
    content = run.findings_path.read_bytes()
    run.findings_path.write_bytes(content[:-50])
    words = said(diagnosed(run))
    assert "findings.csv" in words and "damaged" in words
    assert "Too few validation images" not in words


def test_thresholds_of_validation_images_hold_without_any_test_image(run: Run) -> None:
    known = decisions_of(run, FINDINGS)
    write_findings_of(run, lambda table: table["split"] == "val")
    assert decisions_of(run, FINDINGS) == known
    assert not any(math.isnan(decision.threshold) for decision in known)
    assert "There is no test image" in worth_sentence(run)


def test_no_threshold_is_not_called_no_finding() -> None:
    unknown = [Decision(name, math.nan, 1.0, 0) for name in FINDINGS]
    values = [0.99, 0.1]
    assert "No finding has a threshold" in predicted_sentence(values, unknown)
    one = [replace(unknown[0], threshold=1.0), unknown[1]]
    assert predicted_sentence(values, one) == "No finding above its threshold"


def write_findings_of(run: Run, rows: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Leaves these rows of findings.csv alone."""
    table = read_findings(run)
    table = table[rows(table)]
    answers = [truth_and_score(table, name) for name in FINDINGS]
    truth, scores = (np.stack(each, axis=1) for each in zip(*answers, strict=True))
    write_findings(run, list(FINDINGS), table, (truth, scores))


def test_what_is_cached_changes_with_the_answers(run: Run) -> None:
    before = run_cache.version(run)
    write_findings_of(run, lambda t: t["split"] != "test")
    assert 0 < before < run_cache.version(run)


def test_there_is_no_table_of_one_class(run: Run) -> None:
    with pytest.raises(RunError, match="several findings on one image"):
        read_predictions(run)


def test_evaluate_offers_a_test_on_another_folder(run: Run, tmp_path: Path) -> None:
    draw_findings_folder(tmp_path / "data" / "there", images=8)
    draw_class_folders(tmp_path / "data" / "classes", images_per_class=2)
    app = open_page("results/evaluate.py", run=run.id, view="External test")
    assert not app.error  # nobody chose the first folder, of another kind
    choice = next(s for s in app.selectbox if s.label == "Folder")
    choice.set_value(tmp_path / "data" / "there").run()
    assert not app.error and "bright counts as" in [s.label for s in app.selectbox]
    assert "Test it there" in labels(app)
    choice = next(s for s in app.selectbox if s.label == "Folder")
    choice.set_value(tmp_path / "data" / "classes").run()
    assert "tells one class of each image" in app.error[0].value
