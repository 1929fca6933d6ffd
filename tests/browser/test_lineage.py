"""The graph from data set to model: links by mouse and keyboard, and Back."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest
from playwright.sync_api import Page, expect

from medmodel.runs.run import Run
from tests.browser.conftest import AppServer, at_rest
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture(scope="module")
def run(app: AppServer) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(app.workspace / "datasets" / 'a "b" & c#é')
        return write_finished_run(folder, "Run <i>of</i> the graph")


def test_links_and_back(page: Page, app: AppServer, run: Run) -> None:
    dataset = f"{app.url}/datasets?dataset={quote_plus(run.config.dataset)}"
    start = f"{app.url}/runs?run={run.id}"
    page.goto(start)
    graph = page.get_by_role("navigation", name="Lineage")
    expect(graph.get_by_role("listitem")).to_have_count(3)
    expect(graph.locator("[aria-current=page]")).to_have_attribute(
        "title", "Run · Run <i>of</i> the graph · Done"
    )
    at_rest(page)
    graph.get_by_role("link", name="Data set").click()
    expect(page).to_have_url(dataset)
    expect(page.get_by_role("heading", level=1)).to_have_text('a "b" & c#é')
    at_rest(page)
    # One step back, not an address at which nobody was.
    page.go_back()
    expect(page).to_have_url(start)
    expect(page.get_by_role("heading", level=1)).to_have_text("Run <i>of</i> the graph")
    at_rest(page)
    graph.get_by_role("link", name="Model").press("Enter")
    expect(page).to_have_url(f"{app.url}/evaluate?run={run.id}")
    expect(graph.locator("[aria-current=page]")).to_contain_text("Model")
    at_rest(page)
    page.go_back()
    expect(page).to_have_url(start)
    page.go_forward()
    expect(page).to_have_url(f"{app.url}/evaluate?run={run.id}")


def test_nothing_is_cut_on_a_phone(page: Page, app: AppServer, run: Run) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/evaluate?run={run.id}")
    graph = page.get_by_role("navigation", name="Lineage")
    expect(graph.get_by_role("link")).to_have_count(3)
    at_rest(page)
    for link in graph.get_by_role("link").all():
        box = link.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390
