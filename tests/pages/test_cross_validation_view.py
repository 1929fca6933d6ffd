"""The same settings again, on Evaluate: folds are trained, then told as one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from medmodel.core.config import TrainConfig
from medmodel.core.storage import write_json
from medmodel.runs import queue
from medmodel.runs.copies import Copies, pooled_copies
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from pages._shared.common import run_cache
from pages._shared.evaluation.cross_validation_view import (
    accuracy_so_far,
    copies_sentence,
    folds_that_count,
)
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said


def test_folds_are_trained_and_pooled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each made-up run tests its own part of the images."""
    run = write_finished_run(draw_class_folders(tmp_path / "data" / "easy"), "one")
    images: list[str] = []

    def submit(config: TrainConfig, store: RunStore) -> Run:
        made = write_finished_run(Path(config.dataset), "", sharpness=4.0)
        write_json(made.folder / "config.json", config)
        header, *lines = (made.folder / "predictions.csv").read_text().splitlines()
        lines = [line.replace(",val,", ",test,") for line in lines]
        images[:] = [line.split(",")[0] for line in lines]
        own = lines[config.fold - 1 :: config.folds]
        rows = [header, *own, lines[0].replace(",test,", ",val,")]
        (made.folder / "checksums.json").unlink()
        (made.folder / "predictions.csv").write_text("\n".join([*rows, ""]))
        return made

    monkeypatch.setattr(queue, "submit", submit)
    app = open_page("results/evaluate.py", run=run.id)
    assert "every image is a test image once" in said(app)
    press(app, "Train the folds")
    text = said(app)
    assert "5 folds, seed 0" in text and not app.error
    assert f"Each of the {len(images)} images was predicted once" in text
    assert "not how good any one of the 5 models is" in text
    table = next(t.value for t in app.dataframe if "Mean of the folds" in t.value)
    accuracy = table.set_index("Metric").loc["Accuracy"]
    n = len(images)
    hits = float(accuracy.iloc[0].split()[0]) * n
    assert hits == pytest.approx(round(hits), abs=0.001 * n)
    assert train_button(app).disabled
    app.number_input[1].set_value(4).run()
    assert not train_button(app).disabled
    # As many folds, but dealt with another seed, are others.
    other = write_finished_run(Path(run.config.dataset), "two", seed=1)
    app = open_page("results/evaluate.py", run=other.id)
    assert "5 folds, seed 0" in said(app) and not train_button(app).disabled


def train_button(app: AppTest) -> Button:
    return next(b for b in app.button if b.label == "Train the folds")


def test_what_copies_do_to_pooled_numbers_is_said() -> None:
    clean = Copies(4, frozenset(), frozenset())
    some = Copies(4, frozenset("a"), frozenset())
    nothing_else = Copies(2, frozenset("bc"), frozenset())
    for folds, count, sentence in (
        ([clean, some], [True, True], "1 image is a copy of an image that its fold's"),
        ([some, nothing_else], [True, False], "1 fold holds nothing else: it counts"),
        ([nothing_else], [True], "All 2 images are copies of images that their"),
    ):
        assert sentence in copies_sentence(pooled_copies(folds), folds)
        assert folds_that_count(folds) == count


def test_a_fold_of_nothing_but_copies_is_not_in_what_is_said_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folds = {
        "new": Copies(4, frozenset(), None),
        "old": Copies(1, frozenset("a"), None),
    }
    monkeypatch.setattr(run_cache, "copies", folds.get)
    new: Any = SimpleNamespace(run="new", test_accuracy=0.5)
    old: Any = SimpleNamespace(run="old", test_accuracy=1.0)
    assert (accuracy_so_far([old, new]).mean, accuracy_so_far([old]).mean) == (0.5, 1)
