"""A segmentation's reports: HTML, model card, one page of PDF."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from medmodel.core.errors import RunError
from medmodel.reports.segmentation import documents
from medmodel.reports.segmentation.sheet import evaluation_sheet
from medmodel.runs.run import Run
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import write_segmented_run
from tests.sheet_text import text_of_the_sheet


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    return write_segmented_run(folder, copies=1)


def test_every_document_counts_no_copies_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        html.unescape(documents.evaluation_page(run)),
        html.unescape(documents.model_card_html(run)),
        text_of_the_sheet(run, monkeypatch),
    ]
    for text in texts:
        assert "Not for clinical use" in text
        assert "5 images of 5 patients" in text
        assert "0.675, too few (5 patients)" in text
        assert "1 of 6 test images is a copy" in text
        assert "mean Dice of lesion 0.650" in text
        assert "images/" not in text and "p05" not in text
    page, card, _sheet = texts
    assert "Test images with it: 5; without it: 0." in page
    assert "Sensitivity per lesion" in page
    assert "Outlines on an image, pixel by pixel: lesion." in card
    assert "U-Net" in card
    assert "unet_lite0" not in card


def test_the_sheet_is_one_page_and_the_same_each_time(run: Run) -> None:
    sheet = evaluation_sheet(run)
    assert sheet.startswith(b"%PDF") and sheet.count(b"/Type /Page\n") <= 1
    assert evaluation_sheet(run) == sheet


def test_a_run_without_a_table_has_no_document(run: Run) -> None:
    run.segmentation_path.unlink()
    (run.folder / "checksums.json").unlink()
    with pytest.raises(RunError, match="has not outlined its test images yet"):
        documents.evaluation_page(run)
