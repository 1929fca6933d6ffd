"""Reports of a run on several findings: HTML, model card, one page of PDF."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.core.errors import RunError
from medmodel.evaluation.multi_label.run_findings import run_findings
from medmodel.reports.evaluation_html import model_card_html
from medmodel.reports.multi_label import documents
from medmodel.reports.multi_label.sheet import evaluation_sheet
from medmodel.runs.copies import write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import read_findings, truth_and_score, write_findings
from medmodel.runs.tables.split import read_split
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run
from tests.sheet_text import text_of_the_sheet


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    return write_findings_run(folder, "two findings")


def texts(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield html.unescape(documents.evaluation_page(run))
    yield html.unescape(model_card_html(run))
    yield text_of_the_sheet(run, monkeypatch)


def test_every_document_says_the_numbers_of_the_page(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = run_findings(run).evaluation
    for text in texts(run, monkeypatch):
        assert "Not for clinical use" in text
        assert "48 images of 24 patients" in text
        assert f"{evaluation.mean_auc}" in text
        for result in evaluation.results:
            assert result.name in text and f"{result.auc}" in text
        assert "do not sum to 100 %" in text
        assert "images/" not in text and "p12" not in text


def test_copies_do_not_count_and_are_said(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_split(run)
    tested = table.loc[table["split"] == "test", "path"]
    write_near_copies(run, set(tested[:6]))
    for text in texts(run, monkeypatch):
        assert "42 images of 21 patients" in text
        assert "6 of 48 test images are copies" in text
        assert "With the copies (n = 48 images): mean AUC" in text


def test_a_finding_that_no_test_image_has(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_findings(run)
    table.loc[table["split"] == "test", "true_striped"] = False
    truth, scores = zip(*(truth_and_score(table, n) for n in FINDINGS), strict=True)
    stacked = [list(zip(*each, strict=True)) for each in (truth, scores)]
    write_findings(run, FINDINGS, table, (stacked[0], stacked[1]))  # type: ignore[arg-type]
    for text in texts(run, monkeypatch):
        assert "not measurable" in text and "Mean AUC" in text
        assert "All test images, or none, have striped" in text


def test_a_run_without_answers(run: Run) -> None:
    run.findings_path.unlink()
    for write in (documents.evaluation_page, model_card_html, evaluation_sheet):
        with pytest.raises(RunError, match="findings.csv comes when it ends"):
            write(run)
