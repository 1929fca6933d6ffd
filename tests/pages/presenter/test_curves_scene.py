"""Sentence, progress and last values of a run on a slide; the step: test_steps."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from medmodel.runs.status import RunStatus, Status
from pages._shared.presenter import curves_scene

FINISHED = Status(RunStatus.DONE, epoch=3)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (FINISHED, "Epochs: 3."),
        (
            Status(RunStatus.DONE, epoch=3, best_epoch=2),
            "Epochs: 3; best epoch: 2.",
        ),
        (Status(RunStatus.RUNNING, message="Training."), "Training."),
        (
            Status(RunStatus.RUNNING, message="Training.", seconds_left=0),
            "Training. 0 s left.",
        ),
    ],
)
def test_sentence(status: Status, sentence: str) -> None:
    run: Any = SimpleNamespace(ensemble=None)
    assert curves_scene._sentence(run, status) == sentence


def test_the_best_epoch_is_said_to_be_the_line_where_there_is_one() -> None:
    run: Any = SimpleNamespace(ensemble=None)
    status = Status(RunStatus.DONE, epoch=3, best_epoch=2)
    sentence = curves_scene._sentence(run, status, marked=True)
    assert sentence == "Epochs: 3; best epoch: 2 (vertical line)."


@pytest.mark.parametrize(
    ("first", "learned", "before"),
    [(-math.inf, [1, 2, 3], []), (3, [3], [1, 2]), (math.inf, [], [1, 2, 3])],
)
def test_what_was_not_learned_from_is_dotted(
    first: float, learned: list[float], before: list[float]
) -> None:
    training, validation = ([1, 2, 3], [0.9, 0.8, 0.7]), ([3], [0.75])
    curves = curves_scene._curves(training, validation, str, first)
    assert [list(c.x) for c in curves if not c.dotted] == [learned, [3]]
    assert [list(c.x) for c in curves if c.dotted] == ([before] if before else [])


def test_an_ensemble_has_no_epochs() -> None:
    run: Any = SimpleNamespace(ensemble=object())
    sentence = "The mean of several models: it has no epochs of its own."
    assert curves_scene._sentence(run, FINISHED) == sentence


@pytest.mark.parametrize(
    ("facts", "progress"),
    [
        ({"phase": "training", "steps": 8, "step": 2, "done": 1, "total": 2}, 0.25),
        ({"phase": "training", "steps": 8, "step": 9}, 1.0),
        ({"phase": "training", "done": 1, "total": 2}, 0.5),
        ({"phase": "checking", "steps": 8, "step": 2, "done": 1, "total": 2}, 0.5),
        ({"phase": "checking", "done": 3, "total": 2}, 1.0),
        ({"phase": "checking", "done": 3}, 0.0),
    ],
)
def test_progress(facts: dict[str, Any], progress: float) -> None:
    assert curves_scene._progress(Status(RunStatus.RUNNING, **facts)) == progress
    assert curves_scene._progress(Status(RunStatus.DONE, **facts)) is None


def test_the_last_of_fifty_values_that_is_finite() -> None:
    holes = [math.nan] * 49
    assert curves_scene._last([0.5, *holes], "{:.3g}") == "0.5"
    assert curves_scene._last([0.5, *holes, math.inf], "{:.3g}") == ""
    assert curves_scene._last([], "{:.3g}") == ""
    assert curves_scene._last_share([0.5, *holes]) == "50.0 %"
    assert curves_scene._last_share([0.5, *holes, math.nan]) == ""
    assert curves_scene._last_share([0.25, 0.5]) == "50.0 %"
