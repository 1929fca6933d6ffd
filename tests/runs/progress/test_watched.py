"""A few validation images and their scores after each epoch, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.runs.progress import watched
from medmodel.runs.progress.watched import Watched, WatchedImage
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

IMAGES = Watched(["a", "b"], [WatchedImage("b", watched.image_uri(b"\x89PNG"))])


@pytest.fixture
def run(workspace: Path) -> Run:
    return RunStore().create(TrainConfig(dataset="/data"))


def lines(run: Run) -> list[str]:
    return watched.table_path(run).read_text().splitlines()


def test_a_row_per_epoch(run: Run) -> None:
    watched.begin(run, IMAGES, 0)
    watched.append_scores(run, 1, [[0.25, 0.75]])
    watched.append_scores(run, 2, [[0.123456, 0.876544]])
    assert lines(run) == ["epoch,score_0_0,score_0_1", "1,0.25,0.75", "2,0.1235,0.8765"]
    assert watched.read_watched(run) == IMAGES


def test_a_resumed_run_keeps_what_it_had(run: Run) -> None:
    watched.begin(run, IMAGES, 0)
    for epoch in (1, 2, 3):
        watched.append_scores(run, epoch, [[0.5, 0.5]])
    watched.begin(run, IMAGES, 2)
    assert [line.split(",")[0] for line in lines(run)] == ["epoch", "1", "2"]


def test_scores_of_other_images_go(run: Run) -> None:
    watched.begin(run, IMAGES, 0)
    watched.append_scores(run, 1, [[0.5, 0.5]])
    other = Watched(["a", "b"], [WatchedImage("a", "data:,")])
    watched.begin(run, other, 1)
    assert not watched.table_path(run).exists()
    assert watched.read_watched(run) == other


@pytest.mark.parametrize("text", ["", "{", "[]", '{"classes": 3}'])
def test_a_damaged_file_only_means_no_images(run: Run, text: str) -> None:
    (run.folder / watched.FILE).write_text(text)
    assert watched.read_watched(run) is None


def test_without_a_file_there_are_none(run: Run) -> None:
    assert watched.read_watched(run) is None
