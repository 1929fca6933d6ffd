"""A segmented lesion measured in a real browser, and its mask saved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from medmodel.core.preprocessing import Preprocessing
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from tests.browser.conftest import AppServer, at_rest, press
from tests.data.segmentation.masked_folder import draw_disc, draw_masked_folder
from tests.dicom_files import dicom_file
from tests.segmented_run import write_segmented_run

pytestmark = pytest.mark.browser


def save_outliner(run: Run) -> None:
    """A model that calls what is brighter than half of white a lesion."""
    import keras
    from keras import layers

    images = keras.Input((40, 40, 1), dtype="uint8")
    scaled = layers.Rescaling(1 / 255)(images)
    head = layers.Conv2D(2, 1, activation="softmax")
    model = keras.Model(images, head(scaled))
    head.set_weights([np.array([[[[0.0, 80.0]]]]), np.array([40.0, 0.0])])
    model.save(run.model_path)
    grey = Preprocessing(40, colour="grey")
    run.write_model_facts(ModelFacts(["background", "lesion"], grey, [], 4, [0, 255]))


@pytest.fixture(scope="module")
def outliner(app: AppServer) -> Iterator[Run]:
    """A finished segmentation with a real model in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        run = write_segmented_run(
            draw_masked_folder(app.workspace / "datasets" / "discs")
        )
        save_outliner(run)
        yield run


def test_a_segmented_lesion_is_measured_in_mm_and_saved(
    page: Page, app: AppServer, outliner: Run
) -> None:
    disc = draw_disc((40, 40), (20, 18), 9)
    content = dicom_file(
        (disc * 1000).astype("<i2"), Modality="MR", PixelSpacing=[0.5, 0.5]
    )
    page.goto(f"{app.url}/diagnose?run={outliner.id}")
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_text("No image yet")).to_be_visible()
    at_rest(page)
    image: FilePayload = {
        "name": "disc.dcm",
        "mimeType": "application/dicom",
        "buffer": content,
    }
    page.locator("input[type=file]").set_input_files([image])
    sentence = page.get_by_text("1 region (lesion): area")
    expect(sentence).to_be_visible()
    numbers = [float(n) for n in re.findall(r"\d+\.\d+", sentence.inner_text())]
    assert numbers[0] == pytest.approx(disc.sum() / 4, abs=0.06)
    assert numbers[1] == pytest.approx(9.5, abs=0.3)
    assert numbers[1] >= numbers[2] > 8.5
    viewer = page.get_by_role("region", name="Image viewer")
    expect(viewer).to_be_visible()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    saved = np.asarray(Image.open(Path(download.value.path())))
    assert np.array_equal(saved == 255, disc)
    expect(page.get_by_role("button", name="DICOM SEG")).to_be_visible()
