"""A click on a cell of the confusion matrix asks for the images of this cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages._shared.common import run_cache
from pages._shared.evaluation import confusion_view
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


def test_rows_are_labels_and_columns_are_first_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "b", "c")
    run = write_finished_run(draw_class_folders(tmp_path / "data" / "x", names), "one")
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(confusion_view, "ask_for", lambda *cell: asked.append(cell))
    evaluation = run_cache.evaluation(run)
    confusion_view._open(evaluation, {"customdata": [0, 2]})
    confusion_view._open(evaluation, {"x": 1})
    assert asked == [("a", "c")]
