"""In a real browser: a refused photograph, a second class, likes, a convolution."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from medmodel import training
from medmodel.config import config_for
from medmodel.reporter import Reporter
from medmodel.runs import Run, RunStatus, RunStore
from tests.browser.conftest import WAIT, AppServer, choose
from tests.browser.test_diagnose import drop, heatmap, opened, picture
from tests.conftest import draw_class_folders

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(app: AppServer) -> Iterator[Run]:
    """An Instant run, trained for real, in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = app.workspace / "datasets" / "easy"
        draw_class_folders(folder, images_per_class=30)
        run = RunStore().create(config_for("instant", str(folder), size=32, epochs=3))
        with Reporter(run) as reporter:
            training.train(run, reporter)
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
    unlike = page.get_by_role("heading", name="Unlike the training data")
    expect(unlike).to_be_visible(timeout=WAIT)
    choice = page.get_by_role("heading", name="Model's first choice")
    expect(choice).to_have_count(0)
    page.get_by_role("button", name="Show the probabilities nevertheless").click()
    expect(choice).to_be_visible(timeout=WAIT)
    expect(unlike).to_be_visible()


def test_likes_a_set_and_the_second_class(page: Page, app: AppServer, run: Run) -> None:
    opened(page, app, run)
    drop(page, picture(run))
    expect(page.get_by_text("With 95 % coverage")).to_be_visible(timeout=WAIT)
    likes = page.get_by_alt_text("Training image,")
    expect(likes).to_have_count(6, timeout=WAIT)
    before = heatmap(page)
    choose(page, "Evidence for", lambda: page.get_by_role("option").nth(1))
    expect(page.locator(f"img[src='{before}']")).to_have_count(0, timeout=WAIT)
    assert heatmap(page) != before


def test_the_convolution_answers_at_once(page: Page, app: AppServer, run: Run) -> None:
    page.goto(f"{app.url}/network?run={run.id}")
    page.get_by_role("button", name="I understand").click(timeout=WAIT)
    answer = page.get_by_alt_text("What the convolution makes of it")
    # Nothing moves any more.
    expect(page.get_by_role("heading", name="Last layer and softmax")).to_be_visible(
        timeout=WAIT
    )
    before = answer.get_attribute("src") or ""
    page.get_by_text("ReLU: below 0 becomes 0").click()
    expect(page.locator(f"img[src='{before}']")).to_have_count(0, timeout=WAIT)
    before = answer.get_attribute("src") or ""
    # The table of weights is drawn on a canvas: the first weight of its second row. It
    # takes keys a moment after the click, and not while answers move the page.
    weights = page.get_by_test_id("stDataFrame")
    for _ in range(8):
        weights.scroll_into_view_if_needed()
        box = weights.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 6, box["y"] + box["height"] * 3 / 8)
        page.wait_for_timeout(700)
        page.keyboard.press("5")
        page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        page.wait_for_timeout(4000)
        if answer.get_attribute("src") != before:
            break
    assert answer.get_attribute("src") != before
