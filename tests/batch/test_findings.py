"""The table of a batch of several findings: probabilities, flags, order."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from medmodel.batch import findings, jobs, results, table
from medmodel.batch.table import ImageRow
from medmodel.core.errors import RunError
from medmodel.evaluation.multi_label.run_findings import run_decisions
from medmodel.runs import queue
from medmodel.runs.run import Run
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run

ROWS = [
    ImageRow("a.png", unlike_training=False, distance=0.1, scores=[0.99, 0.98]),
    ImageRow("b.png", unlike_training=True, distance=0.9, scores=[0.99, 0.01]),
    ImageRow("c.png", unlike_training=False, distance=0.2, scores=[0.01, 0.01]),
    ImageRow("x.png", problem="x.png is empty (0 bytes)."),
]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=480)
    return write_findings_run(folder)


@pytest.fixture
def batch(model: Run) -> Run:
    batch = jobs.submit(model, Path(model.config.dataset))
    table.append(batch.folder / table.FILE, FINDINGS, ROWS)
    return batch


def test_one_probability_and_one_flag_of_each_finding(batch: Run, model: Run) -> None:
    rows = results.described(batch, model)
    assert list(rows["predicted_findings"]) == ["bright|striped", "bright", "", ""]
    assert list(rows["flagged_bright"])[:3] == [1, 1, 0]
    assert math.isnan(rows["flagged_bright"][3])
    for decision in run_decisions(model):
        shown = decision.shown(rows[f"score_{decision.name}"][:3].to_numpy())
        np.testing.assert_allclose(rows[f"probability_{decision.name}"][:3], shown)
    assert "predicted" not in rows and not any("in_set" in str(c) for c in rows)


def test_what_cannot_be_ruled_out_of_each_finding(batch: Run, model: Run) -> None:
    rows = results.described(batch, model)
    assert list(rows["set_bright"]) == ["present", "present", "absent", ""]
    assert list(rows["set_striped"]) == ["present", "absent", "absent", ""]


def test_too_few_validation_images_rule_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    folder = draw_findings_folder(tmp_path / "data" / "few", images=32)
    model = write_findings_run(folder)
    batch = jobs.submit(model, folder)
    table.append(batch.folder / table.FILE, FINDINGS, ROWS)
    rows = results.described(batch, model)
    assert not any(str(name).startswith("set_") for name in rows)


def test_worst_is_what_the_truth_got_least_probability_for(
    batch: Run, model: Run
) -> None:
    rows = results.described(batch, model)
    assert rows["label_score"].isna().all()
    assert "label" not in table.exported(rows) and table.ordered(rows, "worst").empty
    told = ["bright|striped", "striped", "No finding", "bright"]
    read = table.read(batch).assign(label=told)
    rows = findings.described(read, None)
    worst = table.ordered(rows, "worst")
    assert list(worst["path"]) == ["b.png", "a.png", "c.png"]
    assert list(worst["label_score"]) == pytest.approx([0.01, 0.98, 0.99])
    assert "label" in table.exported(rows)


def test_files_to_take_away(batch: Run, model: Run) -> None:
    rows = table.exported(results.described(batch, model))
    assert str(rows["flagged_striped"].dtype) == "boolean" and "margin" not in rows
    text = table.csv_bytes(rows).decode()
    assert "bright|striped" in text and text.count("\n") == 5
    assert table.parquet_bytes(rows).startswith(b"PAR1")


def test_orders(batch: Run, model: Run) -> None:
    rows = results.described(batch, model)
    assert list(table.ordered(rows, "strangest")["path"]) == ["b.png", "c.png", "a.png"]
    margins = table.ordered(rows, "uncertain")["margin"]
    assert margins.is_monotonic_increasing and len(margins) == 3


def test_damaged_thresholds_do_not_pass_for_none(batch: Run, model: Run) -> None:
    model.findings_path.write_text("path,patient\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"findings\.csv"):
        results.described(batch, model)


def test_without_thresholds_nothing_is_flagged(batch: Run, model: Run) -> None:
    model.findings_path.unlink()
    for rows in (results.described(batch, model), results.described(batch, None)):
        assert not any(str(name).startswith("flagged_") for name in rows)
        assert set(rows["predicted_findings"]) == {""}
        assert rows["probability_bright"][0] == pytest.approx(0.99)
