"""In a real browser: a refused photograph, a second class, likes, a convolution."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from medmodel.core.config import config_for
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.training import train
from tests.browser.conftest import AppServer, at_rest, choose, first_cell_held, press
from tests.browser.test_diagnose import drop, heatmap, opened, picture
from tests.conftest import draw_class_folders
from tests.finished_run import create_ended

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(app: AppServer) -> Iterator[Run]:
    """An Instant run, trained for real, in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = app.workspace / "datasets" / "easy"
        draw_class_folders(folder, images_per_class=30)
        run = create_ended(config_for("instant", str(folder), size=32, epochs=3))
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
            reporter.update(state=RunStatus.DONE, phase="finished")
        yield run


def photograph() -> FilePayload:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"name": "p.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def test_a_photograph_is_refused_until_somebody_insists(
    page: Page, app: AppServer, run: Run
) -> None:
    opened(page, app, run)
    page.locator("input[type=file]").set_input_files([photograph()])
    unlike = page.get_by_text("Unlike the training data").first
    expect(unlike).to_be_visible()
    at_rest(page)
    choice = page.get_by_text("Predicted class:").first
    expect(choice).to_have_count(0)
    page.get_by_role("button", name="Show prediction anyway").click()
    expect(choice).to_be_visible()
    expect(unlike).to_be_visible()


def test_likes_a_set_and_the_second_class(page: Page, app: AppServer, run: Run) -> None:
    opened(page, app, run)
    drop(page, picture(run))
    expect(page.get_by_text("With 95 % coverage")).to_be_visible()
    likes = page.get_by_alt_text("Training image,")
    expect(likes).to_have_count(6)
    before = heatmap(page)
    choose(page, "Class shown", lambda: page.get_by_role("option").nth(1))
    expect(page.locator(f"img[src='{before}']")).to_have_count(0)
    assert heatmap(page) != before


def test_the_convolution_answers_at_once(page: Page, app: AppServer, run: Run) -> None:
    page.goto(f"{app.url}/network?run={run.id}")
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_role("heading", name="Last layer and softmax")).to_be_visible()
    answer = page.get_by_alt_text("What the convolution makes of it")
    before = answer.get_attribute("src") or ""
    press(page, page.get_by_text("ReLU: below 0 becomes 0"))
    expect(page.locator(f"img[src='{before}']")).to_have_count(0)
    at_rest(page)
    before = answer.get_attribute("src") or ""
    with first_cell_held(page, page.get_by_test_id("stDataFrame")) as weight:
        expect(weight).to_have_attribute("aria-selected", "true")
    page.keyboard.press("5")
    field = page.locator(".gdg-input")
    expect(field).to_have_value("5")
    field.press("Enter")
    expect(page.locator(f"img[src='{before}']")).to_have_count(0)
    expect(answer).to_be_visible()
