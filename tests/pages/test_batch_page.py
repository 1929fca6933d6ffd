"""Batch prediction: asked for, watched, stopped, resumed, looked at, deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.batch import jobs, table
from medmodel.batch.table import ImageRow
from medmodel.core.storage import write_json
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from pages._shared.batch import batch_form
from pages._shared.batch.batch_gallery import tile_words
from pages._shared.batch.batch_view import class_table
from tests.finished_run import write_finished_run
from tests.pages.page import MENU, labels, open_page, press, said

PAGE = "results/batch.py"
ROWS = [
    ImageRow("dark/dark_000.png", "dark", scores=[0.9, 0.1], unlike_training=False),
    ImageRow("dark/dark_001.png", "dark", scores=[0.4, 0.6], unlike_training=True),
    ImageRow("dark/dark_002.png", "dark", split="train", scores=[0.2, 0.8]),
    ImageRow("dark/x.png", problem="x.png is empty (0 bytes)."),
]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)


@pytest.fixture
def model(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "good one")


@pytest.fixture
def batch(model: Run, class_folders: Path) -> Run:
    return jobs.submit(model, class_folders)


def finish(batch: Run, state: RunStatus = RunStatus.DONE) -> None:
    table.append(batch.folder / table.FILE, ["dark", "light"], ROWS)
    batch.write_status(replace(batch.status, state=state, phase="finished"))


def opened(batch: Run) -> AppTest:
    return open_page(PAGE, batch=batch.id)


def test_without_a_model_it_leads_to_train() -> None:
    app = open_page(PAGE)
    assert "No model yet" in said(app) and "Train a model" in labels(app)
    assert "No batch yet." in said(app)


def test_a_folder_is_chosen_and_started(model: Run, class_folders: Path) -> None:
    (class_folders / "list.csv").write_text("file\ndark_000.png\n")
    app = open_page(PAGE)
    assert "Start" not in labels(app)
    choice = next(s for s in app.selectbox if s.label == "Folder on this server")
    choice.set_value(str(class_folders)).run()
    images = next(s for s in app.selectbox if s.label == "Images")
    assert images.options == ["All images", "Those that list.csv names"]
    images.set_value("list.csv").run()
    press(app, "Start")
    (batch,) = jobs.batch_store().list()
    assert jobs.batch_request(batch).table == "list.csv"
    assert jobs.batch_request(batch).model == model.id
    assert "Waiting for its turn." in str(
        [bar.value for bar in app.get("progress")]
    ) or ("Stop" in labels(app))


def test_what_was_imported_is_chosen(
    model: Run, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(opened: Callable[[Path], None], what: str) -> None:
        if st.button("Imported"):
            opened(class_folders)

    monkeypatch.setattr(batch_form, "show_import", stand_in)
    app = open_page(PAGE)
    press(app, "Imported")
    choice = next(s for s in app.selectbox if s.label == "Folder on this server")
    assert choice.value == str(class_folders) and "Start" in labels(app)


@pytest.mark.parametrize("place", ["/etc", "../..", "nowhere"])
def test_a_folder_elsewhere_is_refused(model: Run, place: str) -> None:
    app = AppTest.from_file(str(MENU), default_timeout=120).run()
    app.session_state["batch-folder"] = place
    app.switch_page(PAGE).run()
    assert "among the data folders" in app.error[0].value
    assert "Start" not in labels(app)


def test_its_place_in_the_queue(batch: Run, model: Run, class_folders: Path) -> None:
    later = jobs.submit(model, class_folders)
    assert "Place 1 of 2 in the queue. Starts as soon as" in said(opened(batch))
    text = said(opened(later))
    assert "Place 2 of 2 in the queue. Expected to start in about" in text
    batch.write_status(replace(batch.status, state=RunStatus.DONE))
    assert "in the queue" not in said(opened(batch))


def test_it_stands_in_the_queue_of_runs(batch: Run, model: Run) -> None:
    app = open_page("models/runs.py")
    links = [link.proto.label for link in app.get("page_link")]
    assert "1 · good one, images of easy" in links
    press(app, "Cancel")
    assert batch.status.state is RunStatus.STOPPED
    assert "in the queue" not in said(app) and "Cancel" not in labels(app)


def test_waiting_it_can_be_stopped_and_resumed(batch: Run) -> None:
    app = opened(batch)
    press(app, "Stop")
    assert batch.status.state is RunStatus.STOPPED
    assert "There is no line in the table yet." in app.info[0].value
    press(app, "Resume")
    assert batch.status.state is RunStatus.QUEUED
    assert [run.id for run, _s in queue.waiting(jobs.batch_store())] == [batch.id]


def test_results(batch: Run) -> None:
    finish(batch)
    app = opened(batch)
    assert [m.value for m in app.metric] == ["3", "1", "1", "1"]
    text = said(app)
    assert "Details 3" in labels(app) and "**3 images**" in text
    assert "**Unlike the training data**" in text
    assert "x.png is empty (0 bytes)." in list(app.dataframe[-1].value["Why"])
    assert [b.label for b in app.get("download_button")] or "Download CSV" in str(app)


def test_of_a_deleted_model_scores_remain(batch: Run, model: Run) -> None:
    finish(batch)
    queue.delete(model, jobs.batch_store())
    app = opened(batch)
    assert "was deleted" in app.warning[0].value and not app.error
    assert [m.value for m in app.metric] == ["3", "1", "1", "1"]


def test_interrupted_it_says_what_to_do(batch: Run) -> None:
    finish(batch, RunStatus.RUNNING)
    app = opened(batch)
    assert "press Resume" in app.warning[0].value and "Resume" in labels(app)


def test_deleted_it_lies_in_the_trash(batch: Run) -> None:
    finish(batch)
    press(opened(batch), "Delete")
    assert not jobs.batch_store().list()
    app = open_page(PAGE)
    press(app, "Undo")
    assert [run.id for run in jobs.batch_store().list()] == [batch.id]


@pytest.mark.parametrize("name", ["nothing", "../runs", ""])
def test_a_link_to_nothing(model: Run, name: str) -> None:
    app = open_page(PAGE, batch=name)
    assert bool(app.error) == bool(name)


def test_a_damaged_batch_says_so(batch: Run) -> None:
    finish(batch)
    (batch.folder / table.FILE).write_text("a,b\n1,2\n")
    assert "batch.csv is damaged" in said(opened(batch))
    write_json(batch.folder / "batch.json", {"model": "../x", "model_digest": ""})
    assert "batch.json is damaged" in said(opened(batch))
    assert "batch.json is damaged" in said(open_page(PAGE))


def test_words_below_an_image(batch: Run) -> None:
    finish(batch)
    rows = list(table.described(table.read(batch), None).itertuples())
    assert tile_words(rows[0]) == "dark 90 %"
    assert tile_words(rows[1]) == "**Unlike the training data**"
    assert "true class dark 20 %" in tile_words(rows[2])
    counts = class_table(table.described(table.read(batch), None))
    assert counts.values.tolist() == [["dark", 1], ["light", 2]]


def test_status_counts_batches_that_share_the_queue(
    model: Run, class_folders: Path
) -> None:
    assert "share the queue" not in said(open_page("system/status.py"))
    batch = jobs.submit(model, class_folders)
    text = said(open_page("system/status.py"))
    assert "share the queue: 0 at work, 1 waiting" in text
    (batch.folder / "status.json").write_text("{")
    assert "share the queue" not in said(open_page("system/status.py"))
