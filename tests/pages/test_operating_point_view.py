"""The operating point: later choices, exploring, classes that are lacking, names."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.evaluation.decision.frozen_thresholds import freeze_thresholds
from medmodel.evaluation.decision.thresholds import Rule, choose_thresholds
from medmodel.runs.run import Run
from medmodel.runs.tables.checked import CHECKSUMS
from pages._shared.common import run_cache
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said

NAMES = ("dark", "*grey* :red[x]", "light")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "easy", NAMES, 15)
    return write_finished_run(folder, "one")


def opened(run: Run, name: str) -> AppTest:
    rule = Rule()
    freeze_thresholds(run, rule, choose_thresholds(run_cache.predictions(run), rule))
    app = open_page("results/evaluate.py", run=run.id, view="Operating point")
    app.session_state["evaluated-class"] = name
    return app.run()


def test_a_class_without_test_images_is_no_crash(run: Run) -> None:
    """As in an external test on a folder that has only some of the classes."""
    path = run.folder / "predictions.csv"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if ",test,light," not in line]
    assert len(kept) < len(lines)
    path.write_text("\n".join([*kept, ""]))
    (run.folder / CHECKSUMS).unlink()
    app = opened(run, "light")
    assert not app.exception and not app.error
    assert any("No test image is of light" in info.value for info in app.info)


def test_names_are_shown_as_they_are(run: Run) -> None:
    app = opened(run, NAMES[1])
    assert not app.exception and not app.error
    labels = [app.number_input[0].label, app.slider[0].label]
    assert all(r"\*grey\* \:red\[x\]" in label for label in labels)


def test_a_later_choice_without_a_threshold_for_the_class_is_left_out(run: Run) -> None:
    app = opened(run, "light")
    for threshold in (math.nan, 0.4321):
        thresholds = {"dark": 0.2, NAMES[1]: 0.3, "light": threshold}
        freeze_thresholds(run, Rule("cost", 5.0), thresholds)
    app.run()
    assert not app.exception and not app.error
    later = next(t.value for t in app.dataframe if "Chosen" in t.value)
    assert later["Threshold"].tolist() == ["0.432"]
    assert later["Rule"].tolist() == [str(Rule("cost", 5.0))]
    assert "At your clinic" in said(app)
    files = {button.key for button in app.get("download_button")}
    tables = {"csv-thresholds", "csv-later-thresholds", "csv-decision-curve"}
    assert tables <= files


def forecasts(app: AppTest) -> list[str]:
    """For the frozen threshold, then for the one that is being explored."""
    values = [markdown.value for markdown in app.markdown]
    return [value for value in values if r"Per 1,000" in value.replace("\\", "")]


def test_exploring_moves_the_forecast_on_the_right_alone(run: Run) -> None:
    app = opened(run, "light")
    # The prevalence is asked for, not taken from the test split.
    assert app.number_input[0].value is None and not forecasts(app)
    assert "Enter the prevalence" in said(app)
    app.number_input[0].set_value(20.0).run()
    frozen, explored = forecasts(app)
    app.slider[0].set_value(1.0).run()
    assert forecasts(app)[0] == frozen
    assert forecasts(app)[1] != explored and " 0 true" in forecasts(app)[1]
    app.number_input[0].set_value(50.0).run()
    assert forecasts(app)[0] != frozen
    assert "500 false negatives" in forecasts(app)[1]
