"""`medmodel evaluate`: the numbers of the Evaluate page, and its documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.evaluation.decision.positive_class import choose_positive
from medmodel.reports.run_facts import evaluate_run
from medmodel.reports.spreadsheet import csv_text
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=30)
    return write_finished_run(folder, "a model", patients=25)


def test_json_has_the_numbers_of_the_page(
    run: Run, json_of: Callable[..., Any]
) -> None:
    values, page = json_of("evaluate", run.id), evaluate_run(run)
    assert values["run"] == run.id and values["title"] == "a model"
    assert (values["images"], values["patients"]) == (40, page.patients)
    accuracy = values["metrics"]["accuracy"]
    assert accuracy["value"] == page.accuracy.value and accuracy["n"] == 40
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert values["confusion"]["counts"] == page.confusion.tolist()
    assert values["confusion"]["classes"] == ["dark", "light"]
    assert [c["class"] for c in values["classes"]] == ["dark", "light"]
    assert sum(c["images"] for c in values["classes"]) == 40
    sensitivity = values["classes"][0]["metrics"]["sensitivity"]["value"]
    assert sensitivity == page.per_class[0].sensitivity.value
    assert values["baseline"]["class"] == page.majority[0]
    assert values["baseline"]["equally_common"] == page.majority[1:]
    assert values["positive_class"] is None and values["copies_left_out"] == 0
    assert all(isinstance(sentence, str) for sentence in values["limits"])
    choose_positive(run, "light")
    assert json_of("evaluate", "latest")["positive_class"] == "light"


def test_too_few_images_have_no_interval(
    class_folders: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    run = write_finished_run(class_folders, "few")
    auc = json_of("evaluate", run.id)["metrics"]["auc"]
    assert auc["low"] is None and auc["high"] is None and auc["n"] == 16
    assert "too few" in invoke("evaluate", run.id).stdout


def test_text_says_what_must_not_be_missed(run: Run, invoke: Invoke) -> None:
    page, said = evaluate_run(run), invoke("evaluate", run.id).stdout
    assert str(page.accuracy) in said and str(page.baseline) in said
    assert "internal test split" in said and page.resolution in said
    assert "dark" in said and "against the rest" not in said
    every = invoke("evaluate", run.id, "--all").stdout
    assert "Log loss" in every and "light, against the rest" in every


def test_no_patient_and_no_file_is_named_unasked(run: Run, invoke: Invoke) -> None:
    for options in ([], ["--all"], ["--json"]):
        said = invoke("evaluate", run.id, *options).output
        assert "p1" not in said and "dark_000" not in said


def test_documents_are_written_and_noted(
    run: Run, tmp_path: Path, workspace: Path, invoke: Invoke
) -> None:
    names = {
        "--html": "all.html",
        "--pdf": "page.pdf",
        "--model-card": "card.html",
        "--predictions": "scores.csv",
    }
    options = [x for o, n in names.items() for x in (o, tmp_path / n)]
    said = invoke("evaluate", run.id, *options).stdout
    assert said.count("Written: ") == 4
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert "Evaluation of a model" in (tmp_path / "all.html").read_text()
    assert "Model card of a model" in (tmp_path / "card.html").read_text()
    written = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    kept = read_predictions(run)
    assert written["path"].tolist() == kept["path"].tolist()
    np.testing.assert_allclose(written["score_dark"], kept["score_dark"])
    csv = csv_text(pd.DataFrame({"path": ["=1+1", "a"], "n": [-1, 2]}))
    assert csv == "path,n\n'=1+1,-1\na,2\n"
    lines = (workspace / "audit.jsonl").read_text().splitlines()
    facts = [json.loads(line)["facts"]["what"] for line in lines]
    assert sorted(facts) == [
        *("evaluation html", "evaluation pdf", "model-card html", "predictions"),
    ]


def test_a_place_where_nothing_can_be_written(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    invoke("evaluate", run.id, "--html", tmp_path, status=2)
    wrong = Path("/proc/all.html")
    said = invoke("evaluate", run.id, "--html", wrong, status=1).stderr
    assert f"{wrong} cannot be written: " in said


def test_a_run_without_predictions(invoke: Invoke) -> None:
    run = RunStore().create(TrainConfig("/data"))
    assert "no predictions yet" in invoke("evaluate", run.id, status=1).stderr
    assert "no run" in invoke("evaluate", "20260101-000000-abc", status=2).stderr
