"""predictions.csv: exact bytes out, the same values in; no row that no model writes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.core.storage import write_json
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import (
    read_predictions,
    score_array,
    scored_classes,
    write_predictions,
)

SAMPLES = pd.DataFrame(
    {
        "label": ["sick", "NA"],
        "path": ["a/1.png", 'b/"2", too.png'],
        "split": ["val", "test"],
        "patient": ["007", ""],
        "digest": ["x", "y"],
    }
)


@pytest.fixture
def run() -> Run:
    return RunStore().create(TrainConfig("/data/x"))


def test_predictions_on_disk(run: Run) -> None:
    scores = np.array([[0.123456789, 1 - 0.123456789], [1.0, 1e-9]])
    write_predictions(run, ["sick", "NA"], SAMPLES, scores)
    assert (run.folder / "predictions.csv").read_text() == (
        "path,patient,split,label,score_sick,score_NA\n"
        "a/1.png,007,val,sick,0.12345679,0.87654321\n"
        '"b/""2"", too.png",,test,NA,1,1e-09\n'
    )
    table = read_predictions(run)
    assert table["patient"].tolist() == ["007", ""]
    assert table["label"].tolist() == ["sick", "NA"]
    assert scored_classes(table) == ["sick", "NA"]
    in_other_order = score_array(table, ["NA", "sick"])
    assert in_other_order.tolist() == [[0.87654321, 0.12345679], [1e-9, 1.0]]


def test_predictions_need_a_row_of_scores_for_every_image(run: Run) -> None:
    with pytest.raises(ValueError):
        write_predictions(run, ["sick"], SAMPLES, np.ones((1, 1)))
    assert not run.predictions_path.exists()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (RunStatus.QUEUED, "has no predictions yet: .* when it ends"),
        (RunStatus.RUNNING, "has no predictions yet: .* when it ends"),
        (RunStatus.STOPPED, "it ended before its images were evaluated. Resume it"),
        (RunStatus.FAILED, "it ended before its images were evaluated. Resume it"),
        (RunStatus.INTERRUPTED, "it ended before its images were evaluated. Resume"),
        (RunStatus.DONE, "has no predictions.csv any more"),
    ],
)
def test_why_a_run_has_no_predictions(
    run: Run, state: RunStatus, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "status", SimpleNamespace(state=state))
    with pytest.raises(RunError, match=sentence):
        read_predictions(run)


def test_a_model_from_elsewhere_never_had_predictions(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "status", SimpleNamespace(state=RunStatus.DONE))
    origin = {"file": "m.onnx", "format": "onnx", "sha256": "0", "scale": "unit"}
    write_json(run.folder / "imported.json", origin)
    with pytest.raises(RunError, match=r"trained elsewhere .* \(Evaluate, External"):
        read_predictions(run)
    # Its external test had some.
    write_json(run.folder / "external.json", {"model": "20200101-000000-abcdef"})
    with pytest.raises(RunError, match=r"predictions\.csv any more"):
        read_predictions(run)


def test_predictions_that_cannot_be_used(run: Run) -> None:
    with pytest.raises(RunError, match="no predictions yet"):
        read_predictions(run)
    run.predictions_path.write_text("path,split,label,score_a\nx,test,a,0.5\n")
    with pytest.raises(RunError, match="has no column patient"):
        read_predictions(run)
    run.predictions_path.write_text("path,patient,split,label,score_a\nx,,test,a,b\n")
    with pytest.raises(RunError, match="cannot be read .* train again"):
        read_predictions(run)


ROWS = "path,patient,split,label,score_a,score_b\n"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("x,,test,a,inf,0", "no number from 0 to 1"),
        ("x,,test,a,nan,0", "cannot be read"),
        ("x,,test,a,-0.1,1.1", "no number from 0 to 1"),
        ("x,,test,c,0.5,0.5", "no scores of the class 'c'"),
        ("x,,tset,a,0.5,0.5", "belongs to no split"),
        (",,test,a,0.5,0.5", "cut short"),
        ("x,,test,a,0.5", "cannot be read"),
        ("x,,test,a,0.5,0.5\nx,,test,b,0.5,0.5", "1 rows occur twice"),
    ],
)
def test_rows_that_no_model_writes_are_refused(
    run: Run, rows: str, reason: str
) -> None:
    run.predictions_path.write_text(ROWS + rows + "\n")
    with pytest.raises(RunError, match=rf"predictions\.csv of .*{reason}"):
        read_predictions(run)


def test_one_image_may_be_for_validation_here_and_for_a_test_there(run: Run) -> None:
    text = ROWS + "x,,test,a,0.5,0.5\nx,,val,b,1,0\n"
    run.predictions_path.write_text(text)
    assert len(read_predictions(run)) == 2
