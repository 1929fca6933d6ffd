"""findings.csv: written whole, read with checks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.runs.run import Run
from medmodel.runs.tables import findings
from tests.finished_run import create_ended


@pytest.fixture
def run() -> Run:
    run = create_ended(TrainConfig("/data/x", multi_label=True))
    rows = [("1.png", "p", "val"), ("2.png", "", "test")]
    samples = pd.DataFrame(rows, columns=list(findings.IMAGE_COLUMNS))
    truth = np.array([[True, False], [False, False]])
    scores = np.array([[0.9, 0.25], [0.125, 1.0]])
    findings.write_findings(run, ["a", "b,c"], samples, (truth, scores))
    return run


def test_round_trip(run: Run) -> None:
    table = findings.read_findings(run)
    assert findings.finding_names(table) == ["a", "b,c"]
    truth, score = findings.truth_and_score(table, "a")
    assert truth.tolist() == [True, False] and score.tolist() == [0.9, 0.125]
    assert table["patient"].tolist() == ["p", ""]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("0.125", "1.2"), "0 to 1"),
        (lambda text: text.replace(",1,0.9", ",2,0.9"), "neither 0 nor 1"),
        (lambda text: text.replace("true_a,", "", 1), "columns are others"),
        (lambda text: text.replace("2.png", "1.png").replace("test", "val"), "twice"),
    ],
)
def test_damage_is_named(run: Run, change: Callable[[str], str], reason: str) -> None:
    (run.folder / "checksums.json").unlink()
    text = run.findings_path.read_text()
    run.findings_path.write_text(change(text))
    with pytest.raises(RunError, match=f"findings.csv.*{reason}"):
        findings.read_findings(run)


def test_changed_since_written(run: Run) -> None:
    run.findings_path.write_text(
        run.findings_path.read_text() + "3.png,,test,1,1,1,1\n"
    )
    with pytest.raises(RunError, match="3 of 2 rows"):
        findings.read_findings(run)
    run.findings_path.unlink()
    with pytest.raises(RunError, match="has not answered"):
        findings.read_findings(run)
