"""Compare with models of several findings."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.runs.copies import write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split
from tests.conftest import draw_class_folders
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_folds, write_findings_run
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=320)
    return [
        write_findings_run(folder, "good", sharpness=0.9),
        write_findings_run(folder, "bad", seed=1, sharpness=0.05),
        write_findings_run(folder, "fair", seed=2, sharpness=0.4),
    ]


def opened(*runs: Run) -> AppTest:
    return open_page("results/compare.py", runs=",".join(run.id for run in runs))


def test_mean_and_each_finding_are_compared(runs: list[Run]) -> None:
    app = opened(*runs[:2])
    assert not app.error and not app.exception
    answer = html.unescape(" ".join(str(e.proto.body) for e in app.get("html")))
    assert "Mean AUC: good is better than bad by" in answer
    assert "160 test images are common to all" in said(app)
    areas, tests = app.dataframe[0].value, app.dataframe[1].value
    assert list(areas["Image finding"]) == list(FINDINGS)
    assert list(tests["Better"]) == ["good", "good"]
    assert "corrected for all 2 tests (Holm)" in said(app)
    app = opened(*runs)
    assert not app.error and len(app.dataframe[1].value) == 6
    assert "corrected for all 6 tests (Holm)" in said(app)


def test_copies_are_said_and_no_table_with_them_is_promised(runs: list[Run]) -> None:
    split = read_split(runs[0])
    tested = split.loc[split["split"] == "test", "path"]
    write_near_copies(runs[0], set(tested[:6]))
    app = opened(*runs[:2])
    [warning] = app.warning
    assert "good\\: 6" in warning.value and "left out" in warning.value
    assert "table of every metric" not in warning.value


def test_folds_of_one_cross_validation_are_one_model(tmp_path: Path) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "folds", images=96)
    app = opened(*write_findings_folds(folder))
    assert not app.error and "stand for one model" in app.info[0].value


def test_other_kinds_are_not_offered_and_not_compared(
    runs: list[Run], tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=30)
    one_class = write_finished_run(folder, "one class")
    app = opened(runs[0])
    assert "one class" not in " ".join(app.multiselect(key="models").options)
    app = opened(runs[0], one_class)
    [error] = app.error
    assert "several findings and is measured by their AUC, one class" in error.value
