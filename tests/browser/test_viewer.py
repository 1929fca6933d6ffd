"""The image viewer in a browser: in step, behind a slider, windowed, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from medmodel.imaging.windows import WINDOWS, Window, apply_window
from medmodel.runs.run import Run
from tests.browser.conftest import AppServer, at_rest, press
from tests.conftest import draw_class_folders
from tests.dicom_files import dicom_file
from tests.tiny_run import make_tiny_run

pytestmark = pytest.mark.browser
HOUNSFIELD = np.arange(-1024, 3072, dtype="<i2").reshape(64, 64)
PANES = "Images. + and - zoom"


@pytest.fixture(scope="module")
def run(app: AppServer) -> Iterator[Run]:
    """A finished run with a real model in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(
            app.workspace / "datasets" / "viewed", images_per_class=4
        )
        yield make_tiny_run(folder, "viewed")


def with_image(page: Page, app: AppServer, run: Run, image: FilePayload) -> Locator:
    """Diagnose with an image; returns its viewer."""
    page.goto(f"{app.url}/diagnose?run={run.id}")
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_text("No image yet")).to_be_visible()
    at_rest(page)
    page.locator("input[type=file]").set_input_files([image])
    viewer = page.get_by_role("region", name="Image viewer")
    expect(viewer.get_by_alt_text("laid over the image")).to_be_visible()
    at_rest(page)
    return viewer


def drawn_image(run: Run) -> FilePayload:
    file = sorted(Path(run.config.dataset).glob("*/*.png"))[0]
    return {"name": file.name, "mimeType": "image/png", "buffer": file.read_bytes()}


def scan(**facts: Any) -> FilePayload:
    content = dicom_file(HOUNSFIELD, Modality="CT", **facts)
    return {"name": "scan.dcm", "mimeType": "application/dicom", "buffer": content}


def boxes(viewer: Locator) -> list[list[float]]:
    """Of both images, relative to their panes: left, top, width and height."""
    places: list[list[float]] = viewer.evaluate(
        """root => [...root.querySelectorAll(".mm-pane")].map((pane) => {
          const [a, b] = [pane, pane.querySelector(".mm-layer:not([hidden])")]
            .map((x) => x.getBoundingClientRect());
          return [b.left - a.left, b.top - a.top, b.width, b.height];
        })"""
    )
    return places


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_both_images_are_zoomed_and_moved_in_step(
    page: Page, app: AppServer, run: Run
) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    first, second = boxes(viewer)
    assert first == pytest.approx(second, abs=0.5)
    zoom = viewer.get_by_role("button", name="Reset zoom")
    viewer.get_by_role("button", name="Zoom in").click()
    expect(zoom).to_have_text("1.3×")
    page.mouse.move(*middle(viewer.get_by_alt_text("laid over")))
    page.mouse.wheel(0, -200)
    expect(zoom).to_have_text("1.9×")
    # The wheel zooms around the pointer, which was in the middle.
    larger, other = boxes(viewer)
    assert larger == pytest.approx(other, abs=0.5)
    assert larger[2] == pytest.approx(first[2] * 1.25 * np.exp(0.4), rel=0.01)
    x, y = middle(viewer.get_by_alt_text("The image", exact=True))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=3)
    page.mouse.up()
    moved, other = boxes(viewer)
    assert moved == pytest.approx(other, abs=0.5)
    assert moved[:2] == pytest.approx([larger[0] + 30, larger[1] + 20], abs=1)
    panes = viewer.get_by_role("group", name=PANES)
    expect(panes).to_be_focused()
    page.keyboard.press("ArrowLeft")
    left, other = boxes(viewer)
    assert left[0] > moved[0] and left == pytest.approx(other, abs=0.5)
    page.keyboard.press("0")
    assert boxes(viewer)[0] == pytest.approx(first, abs=0.5)
    page.keyboard.press("+")
    expect(zoom).to_have_text("1.3×")
    panes.dblclick(position={"x": 20, "y": 100})
    expect(zoom).to_have_text("1×")


def test_a_point_of_the_screen_is_the_same_pixel_at_any_zoom(
    page: Page, app: AppServer, run: Run
) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    corner = """root => {
      const { state } = root.viewer, pane = root.querySelector(".mm-pane");
      const box = pane.getBoundingClientRect();
      const image = pane.querySelector("img").getBoundingClientRect();
      return [(box.left + box.width / 2 - image.left) / state.scale,
              (box.top + box.height / 2 - image.top) / state.scale, state.x, state.y];
    }"""
    for key in ("+", "+", "ArrowRight", "ArrowDown"):
        viewer.get_by_role("group", name=PANES).press(key)
        across, down, x, y = viewer.evaluate(corner)
        assert [across, down] == pytest.approx([x, y], abs=0.05)
        assert 0 <= x <= 32 and 0 <= y <= 32


def test_the_slider_is_moved_by_keys(page: Page, app: AppServer, run: Run) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    divider = viewer.get_by_role("slider")
    expect(divider).to_have_count(0)
    viewer.get_by_role("button", name="Slider").click()
    expect(divider).to_have_accessible_name("Slider between image and saliency map")
    expect(divider).to_have_value("50")
    panes = viewer.get_by_role("group", name=PANES)
    width = panes.evaluate("e => e.clientWidth")
    assert boxes(viewer)[0] == pytest.approx(boxes(viewer)[1], abs=0.5)

    def at() -> float:
        place: float = panes.evaluate(
            "e => parseFloat(e.style.getPropertyValue('--mm-at'))"
        )
        return place

    assert at() == pytest.approx(width / 2, abs=1)
    divider.press("Home")
    expect(divider).to_have_value("0")
    assert at() < 25
    divider.press("ArrowRight")
    expect(divider).to_have_value("1")
    divider.press("End")
    assert at() > width - 25
    # Another map leaves it as it is.
    page.get_by_role("slider", name="Opacity").press("End")
    at_rest(page)
    expect(viewer.get_by_role("slider")).to_have_value("100")
    viewer.get_by_role("button", name="Side by side").click()
    expect(divider).to_have_count(0)


def test_full_screen_by_key_and_back(page: Page, app: AppServer, run: Run) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    full = "root => root.getRootNode().fullscreenElement === root"
    before = boxes(viewer)[0]
    viewer.get_by_role("group", name=PANES).press("f")
    page.wait_for_function("() => document.fullscreenElement")
    assert viewer.evaluate(full)
    page.wait_for_timeout(300)
    assert boxes(viewer)[0][3] > 1.5 * before[3]
    expect(viewer.get_by_text("not the outline of a lesion")).to_be_in_viewport(ratio=1)
    viewer.get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => !document.fullscreenElement")


def shown_values(viewer: Locator) -> np.ndarray[Any, Any]:
    """Grey levels of the canvas, (64, 64); the red channel."""
    levels = viewer.evaluate(
        """root => [...root.querySelector("canvas").getContext("2d")
          .getImageData(0, 0, 64, 64).data].filter((_, i) => i % 4 === 0)"""
    )
    return np.array(levels).reshape(64, 64)


def test_the_window_by_mouse_by_name_and_by_number(
    page: Page, app: AppServer, run: Run
) -> None:
    viewer = with_image(page, app, run, scan(WindowCenter=100, WindowWidth=200))
    center = viewer.get_by_role("spinbutton", name="Centre")
    width = viewer.get_by_role("spinbutton", name="Width")
    expect(center).to_have_value("100")
    expect(width).to_have_value("200")
    expect(viewer.get_by_text("HU", exact=True)).to_be_visible()
    page.wait_for_function(
        "root => root.dataset.values === 'loaded'", arg=viewer.element_handle()
    )
    x, y = middle(viewer.get_by_alt_text("The image", exact=True))
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 64, y + 32, steps=4)
    page.mouse.up(button="right")
    # 4095 values lie on 1024 pixels: 64 of these are 256 and 32 are 128.
    expect(center).to_have_value("228")
    expect(width).to_have_value("456")
    levels = shown_values(viewer)
    by_hand = {-1024: 0, 0: 0, 100: 56, 228: 128, 456: 255, 3071: 255}
    assert {v: levels.ravel()[v + 1024] for v in by_hand} == by_hand
    expected = apply_window(HOUNSFIELD, Window(228, 456, "LINEAR_EXACT"))
    assert np.abs(levels - expected.astype(int)).max() <= 1
    viewer.get_by_role("combobox", name="Window").select_option("Lung (-600 / 1500 HU)")
    expect(width).to_have_value("1500")
    lung = apply_window(HOUNSFIELD, WINDOWS["lung"])
    assert np.abs(shown_values(viewer) - lung.astype(int)).max() <= 1
    center.fill("-500")
    center.press("Enter")
    levels = shown_values(viewer)
    assert levels.ravel()[[-500 + 1024, 1024]].tolist() == [128, 213]
    width.dblclick()
    expect(center).to_have_value("100")
    expect(viewer.get_by_alt_text("The image", exact=True)).to_be_visible()


def test_on_a_phone_one_image_is_behind_the_slider(
    browser: Browser, app: AppServer, run: Run
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    viewer = with_image(page, app, run, drawn_image(run))
    expect(viewer.get_by_role("slider")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in viewer.get_by_role("button").all():
        box = button.bounding_box()
        assert box and box["height"] >= 40
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    context.close()


@pytest.mark.parametrize("layout", ["Side by side", "Slider"])
def test_what_stands_on_a_map_has_one_line_in_150_pixels(
    page: Page, app: AppServer, run: Run, layout: str
) -> None:
    viewer = with_image(page, app, run, drawn_image(run))
    viewer.get_by_role("button", name=layout).click()
    for width in (150, 200, 400):
        viewer.evaluate(f"e => e.style.width = 'calc({2 * width}px + 0.5rem)'")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        for words in ("Saliency map", "Not a lesion's outline"):
            box = viewer.get_by_text(words, exact=True).bounding_box()
            pane = viewer.get_by_alt_text("laid over").locator("..").bounding_box()
            assert box and pane and box["height"] < 30
            assert pane["x"] <= box["x"]
            assert box["x"] + box["width"] <= pane["x"] + pane["width"]


def test_on_stage_the_images_are_large_and_keys_are_theirs(
    page: Page, app: AppServer, run: Run
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app.url}/present?present=diagnose&run={run.id}")
    stage = page.locator(".mm-stage[aria-busy=false]")
    stage.locator(".mm-title", has_text="Not for clinical use").wait_for()
    page.keyboard.press("Enter")
    stage.locator(".mm-title", has_text="No image yet").wait_for()
    page.keyboard.press("Enter")
    expect(stage.locator(".mm-image img").first).to_be_visible()
    page.keyboard.press("z")
    viewer = stage.get_by_role("region", name="Image viewer")
    expect(viewer).to_be_visible()
    panes = viewer.get_by_role("group", name=PANES)
    box = panes.bounding_box()
    assert box and box["height"] > 0.55 * 720 and box["width"] > 0.9 * 1280
    sizes = viewer.evaluate(
        """root => [...root.querySelectorAll("button, p, .mm-title")]
          .map((e) => parseFloat(getComputedStyle(e).fontSize))"""
    )
    assert min(sizes) >= 16
    zoom = viewer.get_by_role("button", name="Reset zoom")
    page.keyboard.press("+")
    expect(zoom).to_have_text("1.3×")
    before = boxes(viewer)
    page.keyboard.press("ArrowRight")
    assert boxes(viewer)[0][0] < before[0][0]
    expect(stage.locator(".mm-place")).to_have_text("4 / 6")
    page.keyboard.press("0")
    expect(zoom).to_have_text("1×")
    first = viewer.locator(".mm-captions p").first.inner_text()
    page.keyboard.press("ArrowDown")
    expect(viewer.locator(".mm-captions p").first).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(stage.locator(".mm-place")).to_have_text("4 / 6")
    stage.get_by_role("button", name="Images large").click()
    expect(viewer).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(stage.locator(".mm-place")).to_have_text("3 / 6")
    expect(viewer).to_be_hidden()
