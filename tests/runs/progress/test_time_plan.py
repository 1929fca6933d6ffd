"""Plans of runs before anything of them is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmodel.core.config import config_for
from medmodel.core.settings.recipes import ENSEMBLE
from medmodel.runs.progress.time_plan import time_plan


def test_nothing_is_trained_for_an_ensemble(tmp_path: Path) -> None:
    config = config_for("compact", "/data")
    ensemble = replace(config, recipe=ENSEMBLE)
    phases = [part.phase for part in time_plan(ensemble, 5000, tmp_path).parts]
    assert phases[:4] == ["checking", "members", "preparing", "copies"]
    assert "training" not in phases and "features" not in phases
    plans = [time_plan(each, 5000, tmp_path).whole for each in (ensemble, config)]
    assert 0 < plans[0] < plans[1]


@pytest.mark.parametrize(
    ("images", "changes", "measured"),
    [
        # Processor seconds of two cores as docs/quality.md tells them, halved.
        (5856, {}, 27),
        (5840, {"model": "efficientnet_lite0_lite2"}, 42),
        (2000, {"model": "efficientnet_lite0_lite2", "size": 320}, 72),
        (2000, {"recipe": "compact"}, 116),
    ],
)
def test_guesses_are_near_what_was_measured(
    images: int, changes: dict[str, Any], measured: float, tmp_path: Path
) -> None:
    changes = {"recipe": "instant", **changes}
    config = config_for(changes.pop("recipe"), "/data", **changes)
    guess = time_plan(config, images, tmp_path).whole
    assert measured / 2 < guess < 2 * measured
