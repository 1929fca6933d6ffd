"""Survival: a table is chosen, columns are asked for, sentences fit the numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from medmodel.evaluation.survival.cohort import Images
from medmodel.evaluation.survival.outcomes import Outcome
from medmodel.evaluation.survival.performance import (
    CalibrationBin,
    Concordance,
    SurvivalCalibration,
)
from medmodel.reports.survival_figures import (
    kaplan_meier_figure,
    survival_calibration_figure,
)
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.evaluation import survival_view as view
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import said, show_part

PATIENTS = 60


@pytest.fixture
def outcomes() -> dict[str, Outcome]:
    rng = np.random.default_rng(0)
    return {
        f"p{n}": Outcome(1 + n / 7 + float(rng.uniform()), n % 3 < 2)
        for n in range(PATIENTS)
    }


@pytest.fixture
def result(outcomes: dict[str, Outcome]) -> view.SurvivalResult:
    rng = np.random.default_rng(1)
    # The number falls with the time: the lower the longer.
    numbers = -np.arange(PATIENTS) / 20 + rng.normal(0, 0.7, PATIENTS)
    names = [f"p{n}" for n in range(PATIENTS)]
    tested = np.arange(PATIENTS) % 2 == 0
    return view.survival_result(
        Images(names, names, tested, numbers[:, None]), outcomes
    )


def test_result_is_of_the_test_patients(result: view.SurvivalResult) -> None:
    assert result.model.patients == 30 and result.strength.patients == 30
    assert sum(curve.patients for curve in result.curves) == 30
    assert result.strength.low > 0.5 and result.p_value < 0.05
    assert list(view.group_table(result)["Group"]) == [
        *("lowest third of risk", "middle third", "highest third")
    ]
    drawing = kaplan_meier_figure(result.curves, result.titles)
    assert len(drawing.data) == 6 and drawing.data[1].y[0] == 1
    for curve, name in zip(drawing.data[1::2], drawing.layout.annotations, strict=True):
        below = curve.x >= 0.9 * curve.x[-1]
        assert name.y >= max(np.asarray(curve.y)[below])
    assert "counts as one" not in " ".join(view.basis_sentences(result, 0))
    assert "tested on 30" in view.basis_sentences(result, 2)[0]
    said_last = view.basis_sentences(result, 2)[-1]
    assert said_last == "2 lines lack patient, time or event."


@pytest.mark.parametrize(
    ("strength", "words"),
    [
        (Concordance(math.nan, math.nan, math.nan, 0, 4, 0), "No two test patients"),
        (Concordance(1.0, math.nan, math.nan, 3, 4, 2), "too few for an interval"),
        (
            Concordance(0.6, 0.45, 0.7, 30, 14, 9),
            "no significant difference from chance",
        ),
        (Concordance(0.7, 0.6, 0.8, 30, 14, 9), "0.70 (95 % interval 0.60 to 0.80);"),
    ],
)
def test_concordance_in_words(strength: Concordance, words: str) -> None:
    assert words in view.concordance_sentence(strength)


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (math.nan, "nothing to compare"),
        (0.0001, "differ significantly (log-rank test, p < 0.001)"),
        (0.049, "differ significantly (log-rank test, p = 0.049)"),
        (
            0.05,
            "No significant difference between the groups (log-rank test, p = 0.050)",
        ),
    ],
)
def test_log_rank_in_words(p_value: float, words: str) -> None:
    assert words in view.log_rank_sentence(p_value)


@pytest.mark.parametrize(
    ("predicted", "words"),
    [(0.1, "More than predicted."), (0.9, "Fewer than predicted."), (0.5, "")],
)
def test_calibration_in_words(predicted: float, words: str) -> None:
    overall = CalibrationBin(predicted, 0.5, 0.4, 0.6, 50)
    said = view.calibration_sentence(SurvivalCalibration(5.0, overall, []))
    assert said.startswith(f"By time 5, {100 * predicted:.0f} % of the test patients")
    assert said.endswith(words or "60 %).")
    drawing = survival_calibration_figure(SurvivalCalibration(5.0, overall, []))
    assert list(drawing.data[1].y) == [0.5]
    late = CalibrationBin(predicted, math.nan, math.nan, math.nan, 50)
    late_said = view.calibration_sentence(SurvivalCalibration(5.0, late, []))
    assert late_said == "No test patient was followed so long."


def test_a_table_is_read_and_asked_about(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "good", patients=24)
    app = show_part(lambda: view.show_survival(run))
    assert "written nowhere" in said(app) and not app.selectbox
    lines = [f"p{n},{n + 1},{int(n != 3)}" for n in range(24)]
    content = "\n".join(["patient,when,event", *lines]).encode()
    app.file_uploader[0].set_value(("o.csv", content, "text/csv")).run()
    assert not app.exception and "Say which column is which." in said(app)
    app.selectbox[1].set_value("when").run()
    # Eight development patients are too few.
    assert not app.exception
    text = said(app)
    assert "a Cox model needs 10 events at least" in text or "Concordance" in text
    app.get("button_group")[0].set_value("features").run()
    assert "frozen features of these images are not there" in app.info[0].value


def test_who_is_known_and_who_has_no_image(outcomes: dict[str, Outcome]) -> None:
    files = [f"p{n}" for n in range(PATIENTS)]
    names = ["", *files[1:-1]]
    numbers = np.random.default_rng(1).normal(0, 1, (PATIENTS - 1, 1))
    tested = np.arange(PATIENTS - 1) % 2 == 0
    result = view.survival_result(Images(files[:-1], names, tested, numbers), outcomes)
    sentences = view.basis_sentences(result, 0)
    assert "Of 1 image the patient is not known: it counts as one." in sentences
    assert "1 patient or file of the table has no image here." in sentences


def test_test_patients_who_were_followed_shortly(tmp_path: Path) -> None:
    """The usual time, half of the events, lies beyond: it is not offered."""
    folder = draw_class_folders(tmp_path / "data" / "many", images_per_class=24)
    run = write_finished_run(folder, "good", patients=48)
    app = show_part(lambda: view.show_survival(run))
    table = read_predictions(run)
    parts = dict(zip(table["patient"], table["split"], strict=True))
    lines = [
        f"{patient},{100 + n if part == 'val' else 1 + n / 100},1"
        for n, (patient, part) in enumerate(parts.items())
    ]
    content = "\n".join(["patient,time,event", *lines]).encode()
    app.file_uploader[0].set_value(("o.csv", content, "text/csv")).run()
    assert not app.exception and "Concordance" in said(app), said(app)
