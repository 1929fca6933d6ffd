"""Watching a run: curves that grow in place, through refresh, restart and tabs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from medmodel.core.config import config_for
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from tests.browser.conftest import WAIT, AppServer, at_rest, press
from tests.conftest import draw_class_folders

pytestmark = pytest.mark.browser
CHART = "[data-chart='loss']"
COUNT = "el => el.data ? el.data[0].x.length : 0"


@pytest.fixture(scope="module")
def drawn(app: AppServer) -> Path:
    """A small data set that the server may read."""
    folder = app.workspace / "datasets" / "drawn"
    return draw_class_folders(folder, images_per_class=30)


@pytest.fixture(scope="module")
def long_run(app: AppServer, drawn: Path) -> Run:
    """A run that is in the queue and would take very long."""
    config = config_for(
        "compact", str(drawn), size=28, epochs=1000, patience=0, batch_size=4
    )
    return RunStore(app.workspace).create(config)


def points(page: Page) -> int:
    return int(page.locator(CHART).evaluate(COUNT))


def await_points(page: Page, more_than: int) -> int:
    page.wait_for_function(
        "([chart, least]) => (document.querySelector(chart)?.data?.[0].x.length ?? 0)"
        " > least",
        arg=[CHART, more_than],
        timeout=2 * WAIT,
    )
    return points(page)


def watch(page: Page, app: AppServer, run: Run) -> None:
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.goto(f"{app.url}/runs?run={run.id}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator(CHART).wait_for()


def test_from_a_data_set_to_curves_and_results(
    page: Page, app: AppServer, drawn: Path
) -> None:
    page.goto(f"{app.url}/train?dataset={drawn}")
    press(page, page.get_by_role("button", name="Train").first)
    expect(page).to_have_url(re.compile(r"/runs\?run="))
    await_points(page, 0)
    state = page.locator(".mm-state")
    expect(state).to_have_text("Done", timeout=2 * WAIT)
    button = page.get_by_role("button", name="Diagnose with this model")
    expect(button).to_be_visible()
    expect(page.get_by_text("How good is it?")).to_be_visible()


def test_zoom_and_hidden_curves_stay(page: Page, app: AppServer, long_run: Run) -> None:
    watch(page, app, long_run)
    before = await_points(page, 5)
    at_rest(page)
    box = page.locator(f"{CHART} .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(
        box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5
    )
    page.mouse.up()
    chart = page.locator(CHART)
    page.wait_for_function(
        "chart => document.querySelector(chart).layout.xaxis.autorange === false",
        arg=CHART,
    )
    zoom = chart.evaluate("el => [...el.layout.xaxis.range, ...el.layout.yaxis.range]")
    page.locator(f"{CHART} .legendtoggle").first.click()
    hidden = "el => el.data[0].visible"
    page.wait_for_function(
        "chart => document.querySelector(chart).data[0].visible === 'legendonly'",
        arg=CHART,
    )
    # Plotly would offer to upload the chart to its makers' host.
    expect(page.locator("[data-title^=Share]")).to_have_count(0)
    chart.evaluate("el => { el.mark = 'the same' }")
    page.keyboard.press("r")  # Streamlit's key for running the page again
    await_points(page, before + 10)
    assert chart.evaluate("el => el.mark") == "the same"
    assert chart.evaluate(hidden) == "legendonly"
    after = chart.evaluate("el => [...el.layout.xaxis.range, ...el.layout.yaxis.range]")
    assert after == pytest.approx(zoom)


def test_a_refresh_loses_nothing(page: Page, app: AppServer, long_run: Run) -> None:
    watch(page, app, long_run)
    before = await_points(page, 5)
    page.reload()
    assert await_points(page, before) > before


def test_a_restart_of_the_server_is_bridged(
    page: Page, app: AppServer, long_run: Run
) -> None:
    watch(page, app, long_run)
    before = await_points(page, 5)
    app.stop()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    app.start()
    assert await_points(page, before) > before
    expect(page.get_by_text("Connection lost")).not_to_be_visible()


def test_two_tabs_see_the_same_run_stop(
    context: BrowserContext, page: Page, app: AppServer, long_run: Run
) -> None:
    watch(page, app, long_run)
    other = context.new_page()
    watch(other, app, long_run)
    await_points(other, await_points(page, 0))
    press(page, page.get_by_role("button", name="Stop"))
    for tab in (page, other):
        expect(tab.locator(".mm-state")).to_have_text("Stopped")
        # The page itself follows without being touched.
        resume = tab.get_by_role("button", name="Resume")
        expect(resume).to_be_visible()


def test_delete_asks_first(page: Page, app: AppServer, long_run: Run) -> None:
    watch(page, app, long_run)
    more = page.get_by_role("button", name="More")
    delete = page.get_by_role("button", name="Delete", exact=True)
    press(page, more)
    press(page, delete)
    press(page, page.get_by_role("button", name="Keep it"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert long_run.folder.exists()
    if not delete.is_visible():
        press(page, more)
    press(page, delete)
    press(page, page.get_by_role("button", name="Delete it"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    assert not long_run.folder.exists()
