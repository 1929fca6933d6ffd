"""Many images with their predictions, as a table and as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.reports.spreadsheet import harmless
from medmodel.runs.run import Run
from pages._shared.prediction.case_table import UNLIKE, _table, csv_text
from pages._shared.prediction.cases import Case, Refused
from pages._shared.prediction.file_facts import FileFacts
from pages._shared.prediction.prediction_cache import Answer


def case(name: str, label: str = "") -> Case:
    return Case(
        name, name, b"", "", FileFacts(1, 1, "PNG"), "", ImageTraits(1, 0.0), label
    )


def answer_to(case: Case, prediction: Prediction) -> Answer:
    probabilities = prediction.calibrated
    run, pixels = Run(Path()), np.zeros((28, 28, 3), np.uint8)
    preprocessing = Preprocessing(28)
    return Answer(run, "m", preprocessing, case, pixels, prediction, probabilities)


def test_csv_runs_no_formula() -> None:
    cases = [case(name) for name in ("=1+1.png", "@x", "a, b.png")]
    raw = np.array([0.25, 0.75], np.float32)
    answers = [answer_to(case, Prediction(["a", "+b"], raw)) for case in cases]
    refused = [Refused("9", "-x.txt", "-x.txt is not an image.")]
    text = csv_text(answers, refused)
    header, *rows = list(csv.reader(io.StringIO(text)))
    assert header[:3] == ["file", "true_class", "predicted_class"]
    assert header[3:] == ["score_a", "score_+b", "problem"]
    assert rows[0] == ["'=1+1.png", "", "'+b", "0.250000", "0.750000", ""]
    assert rows[1][0] == "'@x"
    assert rows[2][0] == "a, b.png"
    assert rows[3] == ["'-x.txt", "", "", "", "", "'-x.txt is not an image."]
    # Calibrated ones are no scores to hold against a frozen threshold.
    cooler = Prediction(["a", "+b"], raw, Temperature(2.0, 1.0, 3.0, 40, False))
    changed = csv_text([answer_to(cases[1], cooler)])
    header, row = list(csv.reader(io.StringIO(changed)))
    assert header[3:] == ["calibrated_a", "calibrated_+b", "problem"]
    # Odds of 3 to 1 become their square root.
    assert float(row[4]) == pytest.approx(3**0.5 / (1 + 3**0.5), abs=1e-5)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_harmless(start: str) -> None:
    assert harmless(start + "A1") == "'" + start + "A1"
    assert harmless("A1" + start) == "A1" + start


def test_classes_called_like_columns_get_columns_of_their_own() -> None:
    raw = np.array([0.1, 0.2, 0.7], np.float32)
    answers = [answer_to(case("x.png"), Prediction(["File", "Score", "c"], raw))]
    table = _table(answers, [False])
    fixed = ["Image", "File", "Predicted class", "Score"]
    assert list(table) == [*fixed, "File ", "Score ", "c"]
    shares = ["70 %", "10 %", "20 %", "70 %"]
    assert list(table.iloc[0, 1:]) == ["x.png", "c", *shares]


def test_of_many_classes_the_two_highest_are_shown() -> None:
    """One that is unlike the training data keeps its label and loses its numbers."""
    classes = list("abcdefg")
    raw = np.array([0, 0.25, 0, 0.6, 0.15, 0, 0], np.float32)
    first, second = case("x.png", label="b"), case("y.png")
    answers = [answer_to(each, Prediction(classes, raw)) for each in (first, second)]
    table = _table(answers, [False, True])
    shown = table.iloc[:, 1:]
    columns = ["Predicted class", "Score", "Second choice", "Its score"]
    assert list(shown) == ["File", *columns, "True class"]
    assert list(shown.loc[0]) == ["x.png", "d", "60 %", "b", "25 %", "b"]
    assert list(shown.loc[1]) == ["y.png", UNLIKE, "–", "–", "–", ""]
    six = [answer_to(first, Prediction(classes[:6], raw[:6]))]
    assert list(_table(six, [False]))[4:10] == classes[:6]
