"""What `medmodel compare` says beside the numbers: copies, few images, patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split, write_split
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


def _make_copies(run: Run, count: int) -> None:
    """Gives the first test images of a run the digests of validation images."""
    split = read_split(run)
    digests = np.array([f"{at:032x}" for at in range(len(split))], object)
    tested = np.flatnonzero(split["split"] == "test")[:count]
    digests[tested] = digests[np.flatnonzero(split["split"] == "val")[0]]
    write_split(run, split.assign(digest=digests))


def test_copies_are_left_out_with_a_word_and_the_numbers_beside(
    runs: list[Run], invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    for run in runs[:2]:
        _make_copies(run, 10)
    ids = [run.id for run in runs[:2]]
    said = invoke("compare", *ids).stdout
    assert "70 test images are common to all" in said
    assert "sharp, with copies" in said and "blunt, with copies" in said
    assert "copies of a model's training or validation images" in said
    assert "sharp: 10, blunt: 10" in said
    values = json_of("compare", *ids)
    assert values["images"] == 70 and "sharp: 10, blunt: 10" in values["limits"][0]
    sharp = values["models"][0]
    assert sharp["metrics"]["accuracy"]["n"] == 70
    assert sharp["metrics_with_copies"]["accuracy"]["n"] == 80


def test_a_test_of_nothing_but_copies_is_said(
    runs: list[Run], invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    _make_copies(runs[0], 80)
    ids = [run.id for run in runs[:2]]
    assert "Tested on nothing but copies: sharp." in invoke("compare", *ids).stdout
    values = json_of("compare", *ids)
    assert values["models"][0]["metrics_with_copies"] is None
    assert any("what was remembered" in sentence for sentence in values["limits"])


def test_few_images_and_unknown_patients_are_said(
    tmp_path: Path, invoke: Invoke
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "few", images_per_class=9)
    few = [write_finished_run(folder, f"m{n}", seed=n).id for n in range(2)]
    said = invoke("compare", *few).stdout
    assert "Only 12 test images" in said and "copies" in said
    folder = draw_class_folders(tmp_path / "data" / "more", images_per_class=60)
    more = [write_finished_run(folder, f"n{n}", seed=n).id for n in range(2)]
    assert "Patients are not known" in invoke("compare", *more).stdout
