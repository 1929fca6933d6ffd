"""Batch prediction with a segmentation: chosen, told in all, shown, saved."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from medmodel.batch import jobs, results
from medmodel.runs.run import Run
from pages._shared.batch import outline_gallery, outline_results
from pages._shared.prediction import segmentation_answer
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.pages.page import open_page, press, said
from tests.segmented_batch import outline_bright, work_off
from tests.segmented_run import BrightOutliner, write_segmented_run

PAGE = "results/batch.py"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs", 5))
    outline_bright(monkeypatch, run)
    monkeypatch.setattr(segmentation_answer, "shared", BrightOutliner)
    return run


@pytest.fixture
def batch(model: Run) -> Run:
    return work_off(model)


def test_a_segmentation_is_chosen_and_started(model: Run) -> None:
    app = open_page(PAGE)
    choice = next(s for s in app.selectbox if s.label == "Folder on this server")
    choice.set_value(model.config.dataset).run()
    press(app, "Start")
    (batch,) = jobs.batch_store().list()
    assert batch.config.segments and jobs.batch_request(batch).model == model.id


def test_outlines_are_told_and_shown(batch: Run) -> None:
    app = open_page(PAGE, batch=batch.id)
    assert not app.exception and not app.error
    (table, *_) = app.dataframe
    assert list(table.value["Class"]) == ["lesion"]
    assert list(table.value["Images with an outline"]) == [3]
    assert table.value["Largest area"][0].endswith(" px²")
    text = said(app).replace("\\", "")
    assert "The files of 3 images with an outline do not say how large a pixel" in text
    assert text.count(" px², longest 1") == 3 and text.count("No outline") == 2
    assert "Download 5 masks (PNG in a ZIP file)" in [
        button.label for button in app.get("download_button")
    ]
    app.get("button_group")[0].set_value("Without an outline first").run()
    assert not app.exception
    first = next(c.value for c in app.caption if "outline" in c.value.lower()[:10])
    assert first == "No outline"


def test_one_image_closely(batch: Run) -> None:
    app = open_page(PAGE, batch=batch.id)
    press(app, "Details 2")
    assert not app.exception
    assert "1 region (lesion): area 1" in said(app).replace("\\", "")


def test_without_its_model_the_table_stays(batch: Run, model: Run) -> None:
    from medmodel.runs import queue
    from medmodel.runs.run_store import RunStore

    queue.delete(model, RunStore())
    app = open_page(PAGE, batch=batch.id)
    assert not app.exception and list(app.dataframe[0].value["Class"]) == ["lesion"]
    assert ["contours are not drawn" in w.value for w in app.warning] == [True]
    press(app, "Details 1")
    assert "it cannot be asked again" in said(app)


def test_masks_in_a_zip_file(batch: Run, model: Run) -> None:
    content = outline_results._zip(batch, results.described(batch, model))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist()[0] == "images/p00.png_mask.png"
        assert len(archive.namelist()) == 5


def test_of_images_unlike_the_training_data_nothing_is_shown(
    batch: Run, model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = results.described(batch, model).assign(unlike_training=1.0)
    words = outline_gallery.outline_words(rows.iloc[1])
    assert words == "**Unlike the training data**"
    plain = outline_gallery.outlined_images(batch, None, rows.iloc[1:2])
    assert outline_gallery.outlined_images(batch, model, rows.iloc[1:2]) == plain
    familiar = rows.iloc[1:2].assign(unlike_training=0.0)
    assert outline_gallery.outlined_images(batch, model, familiar) != plain


def test_millimetres_at_the_detector_are_said_to_be_that(
    batch: Run, model: Run
) -> None:
    rows: pd.DataFrame = results.described(batch, model)
    rows = rows.assign(pixel_height_mm=0.1, pixel_size_from="detector")
    assert "at the detector" in outline_results.scale_sentences(rows)[1]
    rows["pixel_size_from"] = "pixel spacing"
    assert len(outline_results.scale_sentences(rows)) == 1


def test_a_class_may_be_in_millimetres_where_another_is_not() -> None:
    rows = pd.DataFrame(
        {
            "outlined": ["cyst", "rim"],
            "pixel_height_mm": [0.1, None],
            "pixel_size_from": ["detector", ""],
        }
    )
    sentences = outline_results.scale_sentences(rows)
    assert "areas of classes that are outlined there are in pixels" in sentences[1]
    assert "at the detector" in sentences[2]
