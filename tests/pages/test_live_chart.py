"""How high the live chart of a run is; what it shows: test_runs_page, test_live."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.runs.run import Run
from medmodel.runs.status import Failure, RunStatus, Status
from pages._shared.runs.live_chart import (
    FAILED_HEIGHT,
    HEIGHT,
    STRIP_HEIGHT,
    _height,
)

FAILURE = Failure("full", "The disk is full.", "Make room.")


@pytest.mark.parametrize("written", ["", "steps_path", "history_path"])
def test_height(written: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    if written:
        getattr(run, written).touch()
    ended = HEIGHT if written else STRIP_HEIGHT
    failed = FAILED_HEIGHT if written else STRIP_HEIGHT
    assert _height(run, Status(RunStatus.RUNNING)) == HEIGHT
    assert _height(run, Status(RunStatus.DONE)) == ended
    assert _height(run, Status(RunStatus.FAILED, failure=FAILURE)) == failed
