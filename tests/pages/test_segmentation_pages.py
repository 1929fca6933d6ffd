"""Every page with a segmentation: it works there, or a sentence says it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.batch import jobs
from medmodel.core.errors import RunError
from medmodel.core.job import UNATTENDED
from medmodel.evaluation import external_validation
from medmodel.inference.export_model import export_model
from medmodel.predictor import Predictor
from medmodel.runs import tables
from medmodel.runs.run import Run, RunStore
from pages._shared.prediction import prediction_cache, segmentation_answer
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.pages.page import open_page, press, said
from tests.segmented_run import BrightOutliner, write_segmented_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    stub = BrightOutliner()
    monkeypatch.setattr(segmentation_answer, "shared", lambda: stub)
    monkeypatch.setattr(prediction_cache, "shared", lambda: stub)
    return write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs"))


def opened(path: str, run: Run, **address: str) -> AppTest:
    app = open_page(path, run=run.id, **address)
    assert not app.exception
    return app


def test_evaluate_shows_numbers_and_the_worst_images(run: Run) -> None:
    app = opened("results/evaluate.py", run)
    text = said(app)
    assert "6 test images; 6 of them hold the class lesion" in text
    (table, *_) = app.dataframe
    titles = list(table.value["Metric"])
    assert titles[0] == "Dice"
    assert "HD95" in titles[4]
    assert titles[4].endswith("pixels")
    assert "too few" in table.value["95 % interval"].iloc[0]
    assert "Worst test images" in [header.value for header in app.subheader]
    assert not app.error


def test_diagnose_outlines_and_measures(run: Run) -> None:
    app = opened("results/diagnose.py", run)
    if any("understand" in b.label.lower() for b in app.button):
        press(app, next(b.label for b in app.button if "understand" in b.label.lower()))
    assert "mean Dice of lesion" in said(app)
    press(app, "Try 3 images from this run's test split")
    (table, *_) = app.dataframe
    assert list(table.value["Class"]) == ["lesion"]
    area = float(table.value.iloc[0, 1])
    assert 140 <= area <= 165  # a disc of radius 7
    longest, perpendicular = (float(v) for v in table.value.iloc[0, 2:])
    assert 13 < perpendicular <= longest < 17
    assert "1 region. The largest (lesion): area 1" in said(app).replace("\\", "")
    assert "Values in the mask: 0 background, 255 lesion." in said(app).replace(
        "\\", ""
    )
    assert not app.error


@pytest.mark.parametrize(
    "path",
    [
        *("models/runs.py", "home/start.py", "data/datasets.py", "system/status.py"),
        *("results/compare.py", "results/read.py", "results/follow_up.py"),
        *("learn/network.py", "presenter/present.py", "models/train.py"),
    ],
)
def test_no_page_breaks(run: Run, path: str) -> None:
    app = opened(path, run)
    assert not [e.value for e in app.error if "Traceback" in e.value]


@pytest.mark.parametrize("step", ["data", "train", "curves", "diagnose", "compare"])
def test_no_step_of_the_presentation_breaks(run: Run, step: str) -> None:
    opened("presenter/present.py", run, step=step, dataset=run.config.dataset)


def test_the_list_of_runs_shows_dice(run: Run) -> None:
    app = open_page("models/runs.py")
    assert list(app.dataframe[0].value["Val. Dice"]) == [0.6]


def test_the_page_of_the_run_says_how_good_it_is(run: Run) -> None:
    app = opened("models/runs.py", run)
    assert "mean Dice of lesion" in said(app)
    assert "Diagnose with this model" in [button.label for button in app.button]


def test_what_is_for_classifications_says_so(run: Run) -> None:
    with pytest.raises(RunError, match="is a segmentation: this is for models"):
        tables.read_predictions(run)
    said_so = "is a segmentation: this is for models"
    with pytest.raises(RunError, match=said_so):
        Predictor().ask(run.id, np.zeros((1, 40, 40, 3), np.uint8))
    with pytest.raises(RunError, match=said_so):
        external_validation.submit(run, run.folder, {"a": "lesion"}, RunStore())
    with pytest.raises(RunError, match=said_so):
        jobs.submit(run, run.folder)
    with pytest.raises(RunError, match=said_so):
        export_model(run, "onnx", UNATTENDED)
    app = open_page("learn/network.py", run=run.id)
    assert "is a segmentation" in " ".join(e.value for e in app.error) or (
        "No model" in said(app)
    )
