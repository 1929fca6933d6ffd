"""Precision is decided once per machine, network and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import write_json
from medmodel.networks.precision import PrecisionChoice
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training import precision_cache
from medmodel.training.context import TrainingContext
from medmodel.training.precision_cache import precision_for


class Trial:
    """Takes the place of the timing: says another arithmetic each time."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *_: Any) -> PrecisionChoice:
        self.times += 1
        policies = ("mixed_bfloat16", "float32", "mixed_float16")
        return PrecisionChoice(policies[self.times - 1], f"trial {self.times}")


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    trial = Trial()
    monkeypatch.setattr(precision_cache, "choose_precision", trial)
    return trial


def decided(folder: Path, **changes: Any) -> str:
    run = RunStore().create(config_for("compact", str(folder), **changes))
    return _decided(run)


def _decided(run: Any) -> str:
    config = run.config
    preprocessing = Preprocessing(config.size or 96, colour=config.colour)
    with StatusWriter(run) as reporter:
        prepared: Any = type("P", (), {"pixels": np.zeros((4, 28, 28, 1), np.uint8)})
        context = TrainingContext(
            run, config, reporter, ["a", "b"], preprocessing, prepared
        )
        return precision_for(context, lambda: pytest.fail("the trial builds")).policy


def test_folds_and_seeds_share_it_networks_and_sizes_do_not(
    tmp_path: Path, trial: Trial
) -> None:
    assert decided(tmp_path) == "mixed_bfloat16"
    assert decided(tmp_path, seed=1) == "mixed_bfloat16"
    assert decided(tmp_path, folds=3, fold=2) == "mixed_bfloat16"
    assert trial.times == 1
    assert decided(tmp_path, size=128) == "float32"
    assert decided(tmp_path, model="document_cnn") == "mixed_float16"


def test_another_machine_decides_for_itself(
    tmp_path: Path, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(tmp_path)
    monkeypatch.setattr(precision_cache, "_processor", lambda: "another")
    assert decided(tmp_path) == "float32"


def test_settings_and_frozen_features_need_no_trial(
    tmp_path: Path, trial: Trial
) -> None:
    assert decided(tmp_path, precision="mixed_float16") == "mixed_float16"
    run = RunStore().create(config_for("instant", str(tmp_path)))
    assert _decided(run) == "float32"
    assert not trial.times


@pytest.mark.parametrize("content", ["", "{", "[]", '{"precision": 3}'])
def test_a_resumed_run_keeps_its_own(
    tmp_path: Path, trial: Trial, content: str
) -> None:
    run = RunStore().create(config_for("compact", str(tmp_path)))
    facts = {"precision": "mixed_float16", "precision_reason": "so it was"}
    write_json(run.folder / "environment.json", facts)
    assert _decided(run) == "mixed_float16"
    assert not trial.times
    # Damaged, it is as if it was not there.
    (run.folder / "environment.json").write_text(content)
    assert _decided(run) == "mixed_bfloat16"


def test_a_damaged_answer_is_measured_again(tmp_path: Path, trial: Trial) -> None:
    decided(tmp_path)
    (path,) = RunStore().root.glob("precision/*.json")
    path.write_text("{")
    assert decided(tmp_path) == "float32"
    assert decided(tmp_path) == "float32"
