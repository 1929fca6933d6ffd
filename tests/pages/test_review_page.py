"""Review labels: an answer is kept, undone, and refitted with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.core.preprocessing import Preprocessing
from medmodel.data.corrections.label_corrections import (
    Correction,
    correct,
    corrections,
)
from medmodel.data.datasets import index_folder
from medmodel.evaluation.review.refit import refits_of
from medmodel.evaluation.review.review_order import REVIEW_SCORES
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said

PAGE = "results/review.py"


@pytest.fixture
def run(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("notify_queue", "ensure_worker"):
        monkeypatch.setattr(queue, name, lambda store: None)
    return reviewable(class_folders)


def reviewable(folder: Path) -> Run:
    """A run of the recipe Instant on class folders; five images can be reviewed."""
    run = write_finished_run(folder, "A run")
    facts = ModelFacts(["dark", "light"], Preprocessing(32, colour="grey"), [], 7)
    run.write_model_facts(facts)
    (run.folder / "environment.json").write_text("{}")
    names = sorted(str(f.relative_to(folder)) for f in folder.glob("*/*"))
    splits = ["train"] * 4 + ["test"]
    lines = [
        f"{name},{name.split('/')[0]},{split},1,0.5,0.5"
        for name, split in zip(names, splits, strict=False)
    ]
    header = "path,label,split,distance,score_dark,score_light"
    (run.folder / REVIEW_SCORES).write_text("\n".join([header, *lines]) + "\n")
    return run


def opened(run: Run) -> AppTest:
    return open_page(PAGE, run=run.id)


def test_without_a_model_it_says_what_will_be_here() -> None:
    assert "can be reviewed here" in said(open_page(PAGE))


def test_answers_are_kept_and_undone(run: Run) -> None:
    app = opened(run)
    assert not [e.value for e in app.error]
    assert "Label in the data set: **dark**" in said(app)
    place = index_folder(Path(run.config.dataset))
    press(app, "2 · light")
    (answer,) = corrections(place)
    assert (answer.label, answer.correction) == ("dark", "light")
    assert "1 label reviewed, 1 corrected." in said(app)
    press(app, "1 · dark")
    assert "2 labels reviewed, 1 corrected." in said(app)
    press(app, "u · Undo the last answer")
    assert corrections(place) == [answer]
    press(app, "Undo 1")
    assert corrections(place) == []


def test_undo_takes_back_the_last_answer_of_this_session(run: Run) -> None:
    app = opened(run)
    press(app, "2 · light")
    place = index_folder(Path(run.config.dataset))
    other = Correction("elsewhere.png", "dark", "light")
    correct(place, other)
    press(app, "u · Undo the last answer")
    assert corrections(place) == [other]


def test_an_answer_is_of_the_image_that_was_shown(run: Run) -> None:
    """In another tab the first image was answered meanwhile: here it still stands."""
    here, elsewhere = opened(run), opened(run)
    place = index_folder(Path(run.config.dataset))
    press(elsewhere, "1 · dark")
    (first,) = corrections(place)
    press(here, "2 · light")
    (answer,) = corrections(place)
    assert (answer.path, answer.correction) == (first.path, "light")
    assert "1 label reviewed, 1 corrected." in said(here)


def test_an_image_that_is_gone_is_skipped_and_not_answered(run: Run) -> None:
    app = opened(run)
    place = index_folder(Path(run.config.dataset))
    press(app, "1 · dark")
    (first,) = corrections(place)
    press(app, "u · Undo the last answer")
    (Path(run.config.dataset) / first.path).unlink()
    app = opened(run)
    assert Path(first.path).stem.replace("_", "\\_") in app.error[0].value
    assert "1 · dark" not in [button.label for button in app.button]
    press(app, "s · Skip")
    assert not [e.value for e in app.error]
    for _number in range(3):
        press(app, "1 · dark")
    assert first.path not in {answer.path for answer in corrections(place)}
    press(app, "Show skipped images again (1)")
    assert app.error


def test_images_of_the_same_name_in_another_data_set_are_not_skipped(run: Run) -> None:
    folder = Path(run.config.dataset)
    elsewhere = reviewable(Path(shutil.copytree(folder, folder.parent / "other")))
    app = opened(run)
    for _number in range(4):
        press(app, "s · Skip")
    assert app.info[0].value == "Every other image of this split was reviewed."
    app.query_params["run"] = elsewhere.id
    assert not app.run().info
    press(app, "1 · dark")
    assert len(corrections(index_folder(folder.parent / "other"))) == 1


def test_corrections_of_other_labels_or_classes_are_not_counted(run: Run) -> None:
    press(opened(run), "2 · light")
    place = index_folder(Path(run.config.dataset))
    (answer,) = corrections(place)
    for stale in (replace(answer, label="grey"), replace(answer, correction="grey")):
        correct(place, stale)
        app = opened(run)
        assert "1 label reviewed, 0 corrected." in said(app)
        (refit,) = [b for b in app.button if b.label.startswith("Refit")]
        assert refit.disabled


def test_a_refit_is_a_run(run: Run) -> None:
    app = opened(run)
    press(app, "2 · light")
    press(app, "Refit with the corrected labels")
    (refit,) = refits_of(run, RunStore())
    assert refit.config.title == "A run, refitted"


def test_what_correcting_test_images_means_is_said(run: Run) -> None:
    app = opened(run)
    app.segmented_control(key="review-split").set_value("test").run()
    assert "changes what the test measures" in said(app)


def test_runs_of_earlier_versions_say_what_to_do(run: Run) -> None:
    (run.folder / REVIEW_SCORES).unlink()
    assert "train the recipe Instant again" in opened(run).error[0].value
