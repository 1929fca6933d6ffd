"""How far an external test is, in words."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.runs.status import RunStatus, Status
from pages._shared.evaluation.external_validation_view import show_progress
from tests.finished_run import create_ended
from tests.pages.page import show_part


@pytest.mark.parametrize(
    ("done", "seconds_left", "share", "text"),
    [
        (3, None, 30, "Predicting"),
        (3, 0.4, 30, "Predicting"),
        (3, 1.0, 30, "Predicting About 1 s left."),
        (12, 130.0, 100, "Predicting About 2 min 10 s left."),
    ],
)
def test_time_left_is_told_from_one_second_on(
    tmp_path: Path, done: int, seconds_left: float | None, share: int, text: str
) -> None:
    run = create_ended(TrainConfig(str(tmp_path)))
    status = Status(RunStatus.RUNNING, message="Predicting", done=done, total=10)
    run.write_status(replace(status, seconds_left=seconds_left))
    bar = show_part(partial(show_progress, run)).get("progress")[0].proto
    assert (bar.value, bar.text) == (share, text)
