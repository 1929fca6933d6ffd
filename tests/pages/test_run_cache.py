"""What pages remember of a run: read once, and read anew when a file has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from medmodel.data.datasets import index_dataset
from medmodel.evaluation.evaluation import evaluate_predictions
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from pages._shared.common import run_cache
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=15)
    return write_finished_run(folder, "one")


def test_predictions_that_are_written_anew_are_read_anew(run: Run) -> None:
    before = run_cache.evaluation(run)
    assert run_cache.evaluation(run) is before
    truth = run_cache.split(run).truth
    other = write_finished_run(Path(run.config.dataset), "other", sharpness=9.0)
    for name in ("predictions.csv", "checksums.json"):
        (run.folder / name).write_bytes((other.folder / name).read_bytes())
    expected = split_predictions(read_predictions(run), "test")
    assert (run_cache.split(run).scores == expected.scores).all()
    assert (run_cache.split(run).truth == truth).all()
    accuracy = evaluate_predictions(expected).accuracy
    assert run_cache.evaluation(run).accuracy == accuracy != before.accuracy
    assert run_cache.overall(run)["accuracy"] == accuracy


def test_a_subgroup_follows_the_data_set_that_is_checked_again(run: Run) -> None:
    folder = Path(run.config.dataset)
    index_dataset(folder)
    group = Subgroup(ranges=(("width", (0.0, 35.0)),))
    whole = run_cache.evaluation(run)
    assert run_cache.evaluation(run, group).images == whole.images == 20
    file = folder / run_cache.images(run)["path"][0]
    with Image.open(file) as image:
        image.resize((40, 50)).save(file)
    index_dataset(folder)
    assert run_cache.evaluation(run, group).images == 19
    # All images are what they were.
    assert run_cache.evaluation(run) is whole
