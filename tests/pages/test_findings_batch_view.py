"""Batch prediction with a model of several findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medmodel.batch import jobs, table
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from pages._shared.multi_label.batch_view import finding_alt, finding_words
from tests.batch.test_findings import ROWS
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run
from tests.pages.page import open_page, said


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    batch = jobs.submit(write_findings_run(folder), folder)
    table.append(batch.folder / table.FILE, FINDINGS, ROWS)
    done = replace(batch.status, state=RunStatus.DONE, phase="finished")
    batch.write_status(done)
    return batch


def test_counts_and_images_by_finding(batch: Run) -> None:
    app = open_page("results/batch.py", batch=batch.id)
    assert not app.error and not app.exception
    counts = app.dataframe[0].value
    assert counts.to_numpy().tolist() == [
        ["bright", 2, 2, 1, 0],
        ["striped", 1, 1, 2, 0],
    ]
    words = said(app)
    assert "An image may have several, or none" in words
    assert "No finding above its threshold" in words
    assert "Unlike the training data" in words
    assert "Prediction sets with 95 % coverage" in words and "Too few" not in words
    app.selectbox(key=f"batch-class-{batch.id}").set_value("striped").run()
    assert "**1 image**" in said(app)


def test_the_worst_first_where_the_folder_says_what_is_true(batch: Run) -> None:
    order = f"batch-order-{batch.id}"
    app = open_page("results/batch.py", batch=batch.id)
    assert "Worst first" not in app.button_group(key=order).options
    told = [replace(row, label="striped") for row in ROWS]
    (batch.folder / table.FILE).unlink()
    table.append(batch.folder / table.FILE, FINDINGS, told)
    app = open_page("results/batch.py", batch=batch.id)
    app.button_group(key=order).set_value("worst").run()
    assert not app.error and not app.exception
    # 0.01 was said of what is true of b and c, 0.98 and 0.01 of a.
    shown = [b.key for b in app.button if str(b.key).endswith(".png")]
    assert len(shown) == 3


def test_words_of_an_image() -> None:
    row: dict[str, float] = {
        "unlike_training": 0,
        "flagged_a": 1,
        "flagged_b": 1,
        "flagged_c": 0,
    }
    row |= {"probability_a": 0.6, "probability_b": 0.8, "probability_c": 0.1}
    assert finding_words(row) == "b 80 %, a 60 %"
    assert finding_alt(row) == "Image, b 80 %, a 60 %"
    assert finding_words({**row, "unlike_training": 1}).startswith("**Unlike")
    assert "a 60 %" not in finding_alt({**row, "unlike_training": 1})


def test_without_thresholds_no_finding_is_said_to_be_below_its_own() -> None:
    row = {"unlike_training": 0, "probability_a": 0.9}
    assert finding_words(row) == "No finding has a threshold"
    assert finding_alt(row) == "Image, No finding has a threshold"
