"""What is not known of copies among the test images stands wherever a metric does."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.data.datasets import index_dataset
from medmodel.evaluation import external_validation
from medmodel.reports import evaluation_html
from medmodel.runs import queue
from medmodel.runs.copies import ExternalCopies, copies_of
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from pages._shared.comparison import comparison_cache
from pages._shared.comparison.comparison_view import _copies_sentences, _metrics_csv
from pages._shared.evaluation import metrics_view
from pages._shared.presenter.compare_scene import _copies
from pages.results.diagnose import baseline_sentences
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said
from tests.sheet_text import text_of_the_sheet


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    return write_finished_run(
        draw_class_folders(tmp_path / "data" / "own", ("a", "b"), 15), "own"
    )


def external_test(model: Run, tmp_path: Path, copies: ExternalCopies) -> Run:
    there = draw_class_folders(tmp_path / "data" / "there", ("a", "b"), 12, seed=5)
    mapping = {"a": "a", "b": "b"}
    made = external_validation.submit(model, there, mapping, RunStore())
    rows = external_validation.external_images(index_dataset(there), made, model)
    scores = np.tile([0.4, 0.6], (len(rows), 1))
    external_validation.write_external_test(made, model, rows, scores, copies)
    made.write_status(replace(made.status, state=RunStatus.DONE))
    return made


@pytest.mark.parametrize(
    ("copies", "sentence"),
    [
        (
            ExternalCopies([], None),
            "Near copies could not be looked for: the model's own data set was not "
            "here.",
        ),
        (
            ExternalCopies(["a/a_000.png"], None),
            "Near copies could not be looked for: the model's own data set was not "
            "here.",
        ),
        (
            ExternalCopies(None, None),
            "Whether test images are copies of images of the model's own data set was "
            "not checked: that data set was not here, or an earlier version made this "
            "test.",
        ),
    ],
)
def test_copies_that_could_not_be_looked_for_are_said_everywhere(
    model: Run,
    tmp_path: Path,
    copies: ExternalCopies,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = external_test(model, tmp_path, copies)
    assert copies_of(run).unknown == sentence
    assert sentence in said(open_page("results/evaluate.py", run=run.id))
    assert sentence in html.unescape(evaluation_html.evaluation_page(run))
    assert sentence in html.unescape(evaluation_html.model_card_html(run))
    assert sentence in text_of_the_sheet(run, monkeypatch)
    table = metrics_view.all_metrics(run)
    assert table["copies_in_the_test"].str.contains(sentence, regex=False).all()
    assert ("value_with_copies" in table) == bool(copies.identical)
    assert sentence in baseline_sentences(run)


def test_compare_says_of_which_model_copies_are_not_known(
    model: Run, tmp_path: Path
) -> None:
    run = external_test(model, tmp_path, ExternalCopies([], None))
    other = external_test(model, tmp_path / "more", ExternalCopies([], []))
    models = {"away": [run], "here": [other]}
    known = {name: _copies_sentences(runs) for name, runs in models.items()}
    metrics = comparison_cache.metrics(comparison_cache.chosen(models))
    table = _metrics_csv(metrics, known)
    said_of = dict(zip(table["model"], table["copies_in_the_test"], strict=True))
    assert said_of == {"away": str(copies_of(run)), "here": str(copies_of(other))}
    assert _copies(models) == [copies_of(run).unknown]


def test_compare_shows_what_is_not_known_of_copies(model: Run) -> None:
    other = write_finished_run(Path(model.config.dataset), "other", seed=3)
    text = said(open_page("results/compare.py", runs=f"{model.id},{other.id}"))
    assert (
        "own; other: Whether test images are copies of training or validation images "
        "is not known for this run." in text
    )
