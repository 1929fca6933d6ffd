"""The map of a data set in a real browser: lasso, keys, groups that are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from medmodel.data.datasets import load_index
from medmodel.quality import indexing
from medmodel.quality.embedding_map import EmbeddingMap, map_task, save_map
from tests.browser.conftest import AppServer, at_rest, press
from tests.conftest import draw_class_folders

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def mapped(app: AppServer) -> Iterator[Path]:
    """A data set whose dark images lie to the left, the light ones to the right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(
            app.workspace / "datasets" / "mapped", images_per_class=5
        )
        indexing.check_folder(folder)
        index = load_index(folder)
        assert index is not None
        table = index.readable
        places = np.zeros((len(table), 2), np.float32)
        places[:, 0] = np.where(table["label"] == "dark", -0.8, 0.8)
        places[:, 1] = np.linspace(-0.8, 0.8, len(table))
        paths = table["path"].tolist()
        save_map(folder, EmbeddingMap(index.fingerprint, paths, places))
        map_task(folder).write("finished")
        yield folder


@pytest.fixture
def chart(page: Page, app: AppServer, mapped: Path) -> Locator:
    page.goto(f"{app.url}/datasets?dataset={mapped}")
    press(page, page.get_by_text("Embedding map"))
    canvas = page.locator(".mm-map canvas")
    # The legend is the script's: from then on the map listens.
    page.get_by_role("button", name="dark (5)").wait_for()
    at_rest(page)
    # The part of the page that holds it opens gradually, and images above it come.
    place = None
    while place != (place := canvas.bounding_box()):
        canvas.evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(300)
    return canvas


def drag(page: Page, canvas: Locator, corners: list[tuple[float, float]]) -> None:
    """Draws around a part of the map; corners in map coordinates."""
    box = canvas.bounding_box()
    assert box
    unit = min(box["width"], box["height"]) / 2.1
    places = [
        (
            box["x"] + box["width"] / 2 + x * unit,
            box["y"] + box["height"] / 2 - y * unit,
        )
        for x, y in corners
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def test_a_lasso_shows_its_images(page: Page, chart: Locator) -> None:
    drag(page, chart, [(-1, -1), (0, -1), (0, 1), (-1, 1)])
    expect(page.get_by_text("Selected images: 5")).to_be_visible()
    at_rest(page)
    press(page, page.get_by_role("button", name="Clear selection"))
    expect(page.get_by_text("Selected images")).to_have_count(0)


def test_keys_reach_all_of_it(page: Page, chart: Locator) -> None:
    chart.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Selected images: 10")).to_be_visible()
    at_rest(page)
    press(page, page.get_by_role("button", name="light (5)"))
    expect(page.get_by_text("Selected images: 5")).to_be_visible()
    at_rest(page)
    chart.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Selected images")).to_have_count(0)
    # Ten steps of 1.5 enlarge it until no point is in the middle of the view.
    at_rest(page)
    for _ in range(10):
        page.keyboard.press("+")
    page.keyboard.press("Enter")
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Selected images: 5")).to_be_visible()
