"""What is said beside the scores of one picture."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medmodel.core.errors import PredictionError
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    store_temperature,
)
from medmodel.evaluation.image_prediction import Prediction
from medmodel.predictor import ExplainOptions
from medmodel.reports.case.predicted_class import predicted_sentence, with_tie
from medmodel.runs.run import Run
from medmodel.runs.status import DecisionThreshold
from pages._shared.prediction import prediction_view


def test_scores_before_calibration_are_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(prediction_view.st, "caption", said.append)
    run = Run(tmp_path)
    prediction_view.say_uncalibrated([run])
    assert not said
    store_temperature(run, Temperature(1.5, 1.2, 1.9, 300, False))
    prediction_view.say_uncalibrated([run])
    assert "before calibration" in said[0]


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([0.2, 0.8], "Predicted class: b (80\N{NO-BREAK SPACE}%)"),
        ([0.5, 0.5], "No single predicted class: a, b (50\N{NO-BREAK SPACE}% each)"),
        ([1.0], "Predicted class: a (>\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%)"),
        (
            [1 / 6] * 6,
            "No single predicted class: a, b, c, d, e and 1 more class "
            "(17\N{NO-BREAK SPACE}% each)",
        ),
    ],
)
def test_a_tie_has_no_predicted_class(scores: list[float], sentence: str) -> None:
    classes = list("abcdef")[: len(scores)]
    assert predicted_sentence(classes, np.array(scores, np.float32)) == sentence


def test_without_a_map_the_image_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the predictor ends meanwhile the reason comes, and the image went."""

    def fail(*_: object) -> None:
        raise PredictionError("The predictor ended: try again.")

    viewers: list[dict[str, Any]] = []
    monkeypatch.setattr(
        prediction_view, "show_viewer", lambda **viewer: viewers.append(viewer)
    )
    monkeypatch.setattr(prediction_view, "is_explained", lambda *_: True)
    monkeypatch.setattr(prediction_view, "heatmap_of", fail)
    monkeypatch.setattr(prediction_view, "CaseMeasurer", lambda *_: None)
    image = {"layers": ["the image"], "size": (8, 8)}
    answer: Any = SimpleNamespace(case=None)
    slot: Any = nullcontext()
    with pytest.raises(PredictionError):
        prediction_view._heatmap(answer, 0, ExplainOptions(), slot, image)
    assert viewers == [{**image, "measurer": None}]


def test_a_prediction_knows_its_tie() -> None:
    even = np.array([0.5, 0.5], np.float32)
    tie = Prediction(["a", "b"], even)
    assert tie.tied == ["a", "b"] and not Prediction(["a"], even[:1]).tied
    assert not replace(tie, raw=np.array([0.4, 0.6], np.float32)).tied
    assert not replace(tie, threshold=DecisionThreshold("b", 0.3)).tied
    assert with_tie("a 50 %", True) == "a 50 %, tied with another class"
    assert with_tie("a 60 %", False) == "a 60 %"


def test_where_a_threshold_decides_there_is_no_tie() -> None:
    for scores, share in (([0.5, 0.5], "50"), ([0.8, 0.2], "20")):
        sentence = predicted_sentence(["a", "b"], np.array(scores), decided=1)
        assert sentence == f"Predicted class: b ({share}\N{NO-BREAK SPACE}%)"
