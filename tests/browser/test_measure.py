"""Shapes drawn in the image viewer by mouse, keys and finger, in mm and pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from medmodel.runs.run import Run
from tests.browser.conftest import AppServer
from tests.browser.test_viewer import PANES, drawn_image, run, scan, with_image

pytestmark = pytest.mark.browser
__all__ = ["run"]  # the fixture

_PLACE = """(root, point) => {
  const pane = root.querySelector(".mm-pane");
  pane.scrollIntoView({ block: "center", behavior: "instant" });
  const box = pane.getBoundingClientRect();
  const { x, y, scale } = root.viewer.state;
  return [box.left + box.width / 2 + (point[0] - x) * scale,
          box.top + box.height / 2 + (point[1] - y) * scale];
}"""


def place_of(viewer: Locator, point: Sequence[float]) -> tuple[float, float]:
    """Where a point of the image is on the screen, scrolled so that it is there."""
    x, y = viewer.evaluate(_PLACE, list(point))
    return x, y


def drag(
    page: Page, viewer: Locator, start: Sequence[float], end: Sequence[float]
) -> None:
    page.mouse.move(*place_of(viewer, start))
    page.mouse.down()
    page.mouse.move(*place_of(viewer, end), steps=4)
    page.mouse.up()


def facts(viewer: Locator, number: int = 0) -> Locator:
    return viewer.get_by_role("listitem").nth(number).locator(".mm-numbers")


def first_number(text: str) -> float:
    found = re.search(r"[\d.]+", text)
    assert found
    return float(found.group())


def tool(viewer: Locator, name: str) -> Locator:
    return viewer.get_by_role("group", name="Measure").get_by_role("button", name=name)


def test_a_line_is_measured_in_mm_on_dicom(
    page: Page, app: AppServer, run: Run
) -> None:
    # Rows are twice as far apart as columns: it is shown with 64 × 128 pixels.
    viewer = with_image(page, app, run, scan(PixelSpacing=[1.0, 0.5]))
    tool(viewer, "Line").click()
    drag(page, viewer, (10, 20), (40, 60))
    expect(facts(viewer)).to_contain_text("Length")
    expect(facts(viewer)).to_contain_text("mm")
    # 30 columns and 20 rows: 15 and 20 mm; the screen has a pixel for half a pixel.
    assert first_number(facts(viewer).inner_text()) == pytest.approx(25, abs=0.4)
    expect(viewer.get_by_text("1 mm from row to row, 0.5 mm")).to_be_visible()
    # The same at another zoom, by its end.
    viewer.get_by_role("button", name="Zoom in").click()
    drag(page, viewer, (40, 60), (40, 20))
    expect(facts(viewer)).to_contain_text(re.compile(r"Length 1[45]"))
    assert first_number(facts(viewer).inner_text()) == pytest.approx(15, abs=0.4)
    with page.expect_download() as download:
        page.get_by_role("button", name="Measurements (CSV)").click()
    table = download.value.path().read_text()
    assert "pixel spacing,1.0,0.5" in table
    viewer.get_by_role("button", name="Delete Line 1").click()
    expect(viewer.get_by_role("listitem")).to_have_count(0)
    expect(page.get_by_role("button", name="Measurements (CSV)")).to_have_count(0)


def test_a_line_is_measured_in_pixels_on_png_and_calibrated_by_hand(
    page: Page, app: AppServer, run: Run
) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    tool(viewer, "Line").click()
    # Two clicks do what a drag does.
    page.mouse.click(*place_of(viewer, (4, 8)))
    page.mouse.click(*place_of(viewer, (24, 8)))
    expect(facts(viewer)).to_contain_text("px")
    assert first_number(facts(viewer).inner_text()) == pytest.approx(20, abs=0.4)
    expect(viewer.get_by_text("does not say how large a pixel is")).to_be_visible()
    viewer.get_by_role("button", name="Calibrate", exact=True).click()
    known = viewer.get_by_role("spinbutton", name="True length of this line in mm")
    known.fill("50")
    known.press("Enter")
    expect(facts(viewer)).to_contain_text("Length 50.0 mm")
    expect(viewer.get_by_text("Calibrated by hand")).to_be_visible()
    viewer.get_by_role("button", name="Undo calibration").click()
    expect(facts(viewer)).to_contain_text("px")


def test_values_inside_an_ellipse_and_a_polygon(
    page: Page, app: AppServer, run: Run
) -> None:
    viewer = with_image(page, app, run, scan(RescaleSlope=1, RescaleIntercept=0))
    tool(viewer, "Ellipse").click()
    drag(page, viewer, (16, 16), (48, 48))
    # Values rise evenly by rows and columns: the mean is that of the middle.
    expect(facts(viewer)).to_contain_text("Mean")
    expect(facts(viewer)).to_contain_text("HU")
    tool(viewer, "Polygon").click()
    for corner in ((8, 8), (56, 8), (56, 40), (8, 40), (8, 8)):
        page.mouse.click(*place_of(viewer, corner))
    expect(facts(viewer, 1)).to_contain_text("Perimeter")
    area = first_number(facts(viewer, 1).inner_text().replace(",", ""))
    assert area == pytest.approx(48 * 32, rel=0.02)
    tool(viewer, "Angle").click()
    for corner in ((40, 50), (20, 50), (20, 60)):
        page.mouse.click(*place_of(viewer, corner))
    expect(facts(viewer, 2)).to_contain_text(re.compile("Angle (89|90)"))
    # The second press of a double click on the image resets the zoom no more.
    expect(viewer.get_by_role("listitem")).to_have_count(3)


def test_all_of_it_by_keys(page: Page, app: AppServer, run: Run) -> None:
    viewer = with_image(page, app, run, scan())
    tool(viewer, "Line").press("Enter")
    expect(viewer.get_by_role("group", name=PANES)).to_be_focused()
    page.keyboard.press("Enter")
    for key in ("Shift+ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(facts(viewer)).to_contain_text("Length 12.0 px")
    viewer.get_by_role("button", name="Select Line 1").press("Enter")
    point = viewer.get_by_role("button", name="Line 1, point 1 of 2")
    expect(point).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(facts(viewer)).to_contain_text("Length 13.0 px")
    expect(point).to_be_focused()
    name = viewer.get_by_role("textbox", name="Name of the measurement")
    name.fill("Nodule 0+")
    name.press("Enter")
    expect(viewer.get_by_role("button", name="Delete Nodule 0+")).to_be_visible()
    viewer.get_by_role("button", name="Nodule 0+, point 2 of 2").press("Delete")
    expect(viewer.get_by_role("listitem")).to_have_count(0)


def test_a_finger_draws_and_the_page_does_not_scroll(
    browser: Browser, app: AppServer, run: Run
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    viewer = with_image(page, app, run, drawn_image(run))
    tool(viewer, "Line").tap()
    page.touchscreen.tap(*place_of(viewer, (2, 16)))
    page.touchscreen.tap(*place_of(viewer, (10, 16)))
    expect(facts(viewer)).to_contain_text("px")
    assert first_number(facts(viewer).inner_text()) == pytest.approx(8, abs=0.4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
