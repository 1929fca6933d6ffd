"""Evaluate and Compare in a real browser: from numbers to images."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from medmodel.evaluation.evaluation import confusion_matrix
from medmodel.evaluation.metrics.curves import score_histogram
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs.notes import notes_of
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from tests.browser.conftest import (
    AppServer,
    at_rest,
    first_cell_held,
    press,
    press_chart,
)
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

pytestmark = pytest.mark.browser
Runs = tuple[Run, Run]


@pytest.fixture(scope="module")
def runs(app: AppServer) -> Iterator[Runs]:
    """Two finished runs on the same images in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(
            app.workspace / "datasets" / "easy", images_per_class=30
        )
        good = write_finished_run(folder, "good", sharpness=3.0)
        yield good, write_finished_run(folder, "bad", sharpness=0.0, seed=1)


def test_from_a_confusion_cell_to_its_images(
    page: Page, app: AppServer, runs: Runs
) -> None:
    page.goto(f"{app.url}/evaluate?run={runs[1].id}&view=Images")
    # The upper right cell: dark images whose predicted class is light.
    press_chart(page, 0, across=0.75, down=0.25)
    count = int(
        confusion_matrix(split_predictions(read_predictions(runs[1]), "test"))[0, 1]
    )
    headline = page.get_by_text(
        f"{count} images: true class dark, predicted class light"
    )
    expect(headline).to_be_visible()
    pictures = page.get_by_alt_text("Image with true class dark, predicted class light")
    expect(pictures).to_have_count(min(count, 12))


def test_from_a_bar_of_the_histogram_to_its_images(
    page: Page, app: AppServer, runs: Runs
) -> None:
    data = split_predictions(read_predictions(runs[1]), "test")
    bars = score_histogram(data, 1)
    at = int(bars.inside.argmax())
    page.goto(f"{app.url}/evaluate?run={runs[1].id}&view=Curves")
    # The axis runs from -0.02 to 1.02; bars of the class stand above the middle.
    across = ((bars.edges[at] + bars.edges[at + 1]) / 2 + 0.02) / 1.04
    press_chart(page, 2, across, down=0.25)
    count = f"{bars.inside[at]} image" + ("s" if bars.inside[at] > 1 else "")
    headline = page.get_by_text(f"{count}: true class light, score for light")
    expect(headline).to_be_visible()


def test_a_threshold_is_frozen_then_explored(
    page: Page, app: AppServer, runs: Runs
) -> None:
    page.goto(f"{app.url}/evaluate?run={runs[0].id}&view=Operating point")
    press(page, page.get_by_role("button", name="Lock threshold"))
    prevalence = page.get_by_role("spinbutton", name="Of 100 patients like yours")
    prevalence.fill("20")
    prevalence.press("Enter")
    sentences = page.get_by_text("Per 1,000 patients like these")
    expect(sentences).to_have_count(2)
    at_rest(page)
    before = sentences.nth(0).inner_text()
    expect(sentences.nth(1)).to_have_text(before)
    page.get_by_role("slider").press("End")
    expect(sentences.nth(1)).to_contain_text(" 0 true positives")
    expect(sentences.nth(0)).to_have_text(before)


def test_two_runs_are_compared(page: Page, app: AppServer, runs: Runs) -> None:
    good, bad = runs
    page.goto(f"{app.url}/compare?runs={good.id},{bad.id}")
    sentence = page.get_by_text("good is better than bad by")
    expect(sentence).to_be_visible()
    expect(page.get_by_text("40 test images are common")).to_be_visible()
    expect(page.get_by_alt_text("Image with true class").first).to_be_visible()
    expect(page).to_have_url(re.compile(f"runs={good.id}"))


def test_figures_follow_from_light_to_dark(
    page: Page, app: AppServer, runs: Runs
) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{app.url}/evaluate?run={runs[0].id}")
    text = page.locator(".js-plotly-plot .xtitle").first
    expect(text).to_have_css("fill", "rgb(10, 16, 22)")
    at_rest(page)
    page.emulate_media(color_scheme="dark")
    expect(text).to_have_css("fill", "rgb(230, 237, 242)")


def test_a_click_pins_a_run(page: Page, app: AppServer, runs: Runs) -> None:
    page.goto(f"{app.url}/runs")
    with first_cell_held(page, page.get_by_test_id("stDataFrame").first) as pin:
        expect(pin).to_have_text("true")
    newest = max(RunStore(app.workspace).list(), key=lambda run: run.id)
    assert notes_of(newest).pinned
