"""The verdict at the operating point, and what sets held on test images."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.decision.conformal import ConformalPredictor, MeasuredSets
from medmodel.evaluation.intervals.proportions import wilson
from pages._shared.prediction.conformal_view import coverage_sentence
from pages._shared.prediction.verdict_view import verdicts


def test_flagged_classes_come_first_with_their_thresholds() -> None:
    cuts = {"a": 0.31, "b": 0.5, "c": float("nan")}
    assert verdicts(["a", "b", "c"], np.array([0.31, 0.45, 0.24]), cuts) == [
        r"a: 0\.310, at or above 0\.310 → **flagged**",
        "b: 45 %, below 50 % → not flagged",
        "c: no threshold",
    ]


def test_a_score_just_below_its_threshold_does_not_look_like_it() -> None:
    """Sure networks had "1.000, below 1.000"."""
    (line,) = verdicts(["a"], np.array([0.99962]), {"a": 0.99975})
    assert line == r"a: 0\.9996, below 0\.9998 → not flagged"
    (line,) = verdicts(["a"], np.array([0.5]), {"a": 0.5})
    assert line == r"a: 0\.500, at or above 0\.500 → **flagged**"


def test_of_many_classes_those_that_are_not_flagged_are_counted() -> None:
    names = [f"class {i}" for i in range(20)]
    scores = np.linspace(0.2, 0, 20)
    lines = verdicts(names, scores, dict.fromkeys(names, 0.195))
    assert lines[0].endswith("**flagged**") and len(lines) == 9
    assert lines[-1] == "12 more classes: not flagged"


def test_every_flagged_class_is_named_however_many_there_are() -> None:
    names = [f"class {i}" for i in range(15)]
    scores = np.linspace(0.2, 0.06, 15)
    lines = verdicts(names, scores, dict.fromkeys(names, 0.105))
    assert [line.split(":")[0] for line in lines[:-1]] == names[:10]
    assert all(line.endswith("**flagged**") for line in lines[:-1])
    assert lines[-1] == "5 more classes: not flagged"


def test_a_broken_promise_is_said() -> None:
    found = ConformalPredictor(0.9, np.zeros(2), np.ones(2, bool), 100)
    short = coverage_sentence(MeasuredSets(found, wilson(820, 1000), 1.2, True))
    assert (
        r"**82\.0 %** of 1,000 test images" in short
        and "Below the target coverage" in short
    )
    chance = coverage_sentence(MeasuredSets(found, wilson(860, 1000), 1.2, False))
    assert "no more than chance explains: 100 validation images" in chance
    assert "4 target coverages are judged together" in chance
    assert "differ" not in chance
    assert "Less" not in coverage_sentence(
        MeasuredSets(found, wilson(89, 100), 1.2, False)
    )
