"""The larger size is taken only where it pays."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import config_for
from medmodel.core.job import Job
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.splits import assign_splits
from medmodel.networks import features
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training import input_size
from tests.conftest import draw_class_folders


class Progress(StatusWriter):
    """Remembers what was told of the pilot."""

    told: list[tuple[str, int, int]]

    def progress(self, phase: str, done: int, total: int) -> None:
        self.told = [*getattr(self, "told", []), (phase, done, total)]


def chosen(folder: Path, **changes: object) -> input_size.InputSizeChoice:
    config = config_for("instant", str(folder), **changes)
    run = RunStore().create(config)
    index = index_dataset(folder)
    with StatusWriter(run) as reporter:
        return input_size.choose_size(
            run, reporter, index, assign_splits(index, config)
        )


@pytest.mark.parametrize(
    ("gains", "size"),
    [
        ([0.3, 0.2, 0.25, 0.22], 224),
        ([0.03, 0.02, 0.025, 0.022], 128),
        ([0.4, -0.1, 0.1, -0.1], 224),
        ([-0.3, -0.2, -0.3, -0.2], 128),
    ],
)
def test_verdict(gains: list[float], size: int) -> None:
    large = np.full(4, 0.5)
    found = input_size.larger_if_better({128: large + gains, 224: large})
    assert found.size == size
    assert found.reason.startswith(f"{size} px: validation chose it over")
    assert "0.50" in found.reason


@pytest.mark.parametrize(
    ("gain", "size", "too_little"),
    [
        (-0.01, 128, False),
        (0.0, 128, False),
        (0.03125, 128, True),
        (0.0625, 224, False),
    ],
)
def test_a_gain_up_to_the_margin_does_not_pay(
    gain: float, size: int, too_little: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_size, "MARGIN", 0.03125)  # of few binary digits
    large = np.full(4, 0.5)
    choice = input_size.larger_if_better({128: large + gain, 224: large})
    assert choice.size == size
    assert ("too little to pay" in choice.reason) is too_little


def test_settings_have_the_first_word(class_folders: Path) -> None:
    assert chosen(class_folders, size=64).size == 64


@pytest.mark.parametrize(
    ("native", "sizes"),
    [
        (28, (96, 128)),
        (111, (96, 128)),
        (112, (128, 128)),
        (175, (128, 128)),
        (176, (128, 224)),
        (271, (128, 224)),
        (272, (128, 320)),
    ],
)
def test_candidates(native: float, sizes: tuple[int, int]) -> None:
    assert input_size.candidates(native) == sizes


def test_images_of_the_usual_size_need_no_pilot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "usual", size=128)
    monkeypatch.setattr(input_size, "_pilot", None)
    found = chosen(folder)
    assert found == input_size.InputSizeChoice(128, "128 px: the images have 128 px.")


def test_pilot_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw_class_folders(tmp_path / "data" / "large", size=230)
    asked: list[int] = []

    def pilot(
        _run: object, _reporter: object, _index: Index, tried: Any, job: Job
    ) -> object:
        images, size = tried
        asked.append(size)
        job.progress("preparing", len(images), len(images))
        job.progress("features", len(images), len(images))
        return np.full(5, 0.9 if size == 128 else 0.4)

    monkeypatch.setattr(input_size, "_pilot", pilot)
    first, second = chosen(folder), chosen(folder)
    assert first == second
    assert first.size == 224
    assert asked == [128, 224]
    assert chosen(folder, seed=1).size == 224 and len(asked) == 4


def test_the_pilot_is_one_phase_in_which_large_images_count_more(
    class_folders: Path,
) -> None:
    run = RunStore().create(config_for("instant", str(class_folders)))
    reporter = Progress(run)
    with reporter:
        for size, before in ((128, 0), (224, 60)):
            job = input_size._told(reporter, size, (before, 161), 20)
            job.progress("listing", 3, 20)
            job.progress("preparing", 20, 20)
            job.progress("features", 10, 20)
            job.progress("features", 20, 20)
    # 20 to prepare, 20 through the network and 20 to learn; (224 / 128) ** 2 is 3.06.
    done = [0, 20, 30, 40, 60, 80, 111, 141]
    assert reporter.told == [("pilot", units, 161) for units in done]
    assert [input_size._cost(20, size) for size in (128, 224)] == [60, 101]


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"window": "lung"}, True),
        ({"class_weights": False}, True),
        ({"fold": 1, "folds": 3}, True),
        ({"epochs": 7}, False),
        ({"name": "again"}, False),
    ],
)
def test_another_look_at_the_images_is_tried_anew(
    class_folders: Path, changes: dict[str, object], anew: bool
) -> None:
    config = config_for("instant", str(class_folders), class_weights=True)
    index = index_dataset(class_folders)
    other = RunStore().create(replace(config, **changes))  # type: ignore[arg-type]
    file = input_size._cache_file(RunStore().create(config), index)
    assert (input_size._cache_file(other, index) != file) is anew


def test_what_other_features_chose_is_chosen_anew(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore().create(config_for("instant", str(class_folders)))
    index = index_dataset(class_folders)
    file = input_size._cache_file(run, index)
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    assert input_size._cache_file(run, index) != file


def test_the_pilot_draws_a_share_of_every_class() -> None:
    labels = ["rare"] * 3 + ["usual"] * 1997
    table = pd.DataFrame(
        {"label": labels * 2, "split": ["train"] * 2000 + ["val"] * 2000}
    )
    table.loc[3999, "split"] = "test"
    rows = list(input_size._drawn(table, seed=0))
    assert len(rows) == len(set(rows)) and 3999 not in rows
    drawn = Counter(zip(table["split"][rows], table["label"][rows], strict=True))
    # 500 of 2000 and 250 of 1999; at least two of a class.
    assert drawn == {
        ("train", "rare"): 2,
        ("train", "usual"): 499,
        ("val", "rare"): 2,
        ("val", "usual"): 250,
    }
    assert rows != list(input_size._drawn(table, seed=1))
