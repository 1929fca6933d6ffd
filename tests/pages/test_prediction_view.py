"""What is said beside the scores of one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.evaluation.temperature_scaling import Temperature, store_temperature
from medmodel.runs.run import Run
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
