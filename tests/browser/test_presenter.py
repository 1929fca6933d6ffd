"""A demo from start to verdict by keys alone, and phones that follow it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from medmodel.runs.run import Run
from tests.browser.conftest import WAIT, AppServer, at_rest, press
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def drawn(app: AppServer) -> Path:
    """A small data set that the server may read."""
    folder = app.workspace / "datasets" / "on stage"
    return draw_class_folders(folder, images_per_class=20)


@pytest.fixture
def earlier_run(app: AppServer, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A model of the same data set to compare with."""
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
    return write_finished_run(drawn, "Earlier")


def title(page: Page) -> Locator:
    return page.locator(".mm-title")


def press_key(page: Page, key: str, then: str, timeout: int = WAIT) -> None:
    """Presses a key once the slide before is drawn, and awaits the next one."""
    page.locator(".mm-stage[aria-busy=false]").wait_for()
    page.keyboard.press(key)
    expect(title(page)).to_contain_text(then, timeout=timeout)


def smallest_text(page: Page) -> float:
    """Pixels of the smallest text on the projector."""
    return float(
        page.locator(".mm-stage").evaluate(
            """stage => Math.min(...[...stage.querySelectorAll("*")]
                .filter(e => e.getClientRects().length && [...e.childNodes].some(
                    n => n.nodeType === 3 && n.textContent.trim()))
                .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
        )
    )


def sizes(page: Page, selector: str) -> list[float]:
    found = page.locator(selector).evaluate_all(
        "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    return [float(size) for size in found]


def assert_fits(page: Page) -> None:
    """Nothing has to be scrolled, and all can be read from four metres."""
    shown = page.locator(".mm-shown")
    assert shown.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    assert smallest_text(page) >= 16
    for answers in (".mm-title", ".mm-value", ".mm-label strong"):
        assert all(size >= 24 for size in sizes(page, answers))
    expect(page.get_by_text("Not for clinical use.").last).to_be_visible()


@pytest.mark.usefixtures("earlier_run")
def test_a_demo_by_keys_alone(page: Page, app: AppServer, drawn: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app.url}/datasets?dataset={drawn}")
    page.get_by_role("button", name="Present").wait_for()
    at_rest(page)
    page.keyboard.press("p")
    expect(title(page)).to_have_text("on stage: 40 images in 2 classes")
    assert_fits(page)
    page.keyboard.press("?")
    expect(page.get_by_text("Leave presenter mode")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Leave presenter mode")).to_be_hidden()
    press_key(page, "ArrowRight", "Instant on on stage")
    press_key(page, "ArrowDown", "Compact CNN on on stage")
    assert_fits(page)
    press_key(page, "ArrowUp", "Instant on on stage")
    press_key(page, "Enter", "Instant on on stage: ")
    expect(title(page)).to_contain_text(": done", timeout=10 * WAIT)
    expect(page.locator(".mm-chart")).to_have_count(2)
    assert_fits(page)
    press_key(page, "PageDown", "Not for clinical use")
    press_key(page, "Enter", "No image yet")
    press_key(page, "Enter", "", 2 * WAIT)
    expect(page.locator(".mm-image img").first).to_be_visible(timeout=2 * WAIT)
    assert_fits(page)
    press_key(page, "End", "The room reads")
    assert_fits(page)
    press_key(page, "ArrowLeft", "Earlier")
    expect(page.locator(".mm-bar")).to_have_count(2)
    assert_fits(page)
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1, name="Compare")).to_be_visible()


def test_keys_of_a_field_stay_with_it(page: Page, app: AppServer) -> None:
    page.goto(f"{app.url}/?present=room")
    field = page.get_by_label("Port")
    field.wait_for()
    at_rest(page)
    field.focus()
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    expect(page.get_by_role("heading", name="Phones in the room")).to_be_visible()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A second browser, as large as a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(WAIT)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: (
            errors.append(said.text) if "Content Security Policy" in said.text else None
        ),
    )
    yield page
    context.close()
    assert not errors


def open_room(page: Page, app: AppServer) -> str:
    """Opens the audience address on this machine alone; returns the link."""
    page.goto(f"{app.url}/?present=room")
    box = page.get_by_role("combobox", name="Network address")
    box.wait_for()
    at_rest(page)
    box.click()
    page.get_by_role("option", name="this machine only").click()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at_rest(page)
    page.get_by_label("Port").fill(str(port))
    page.get_by_label("Port").press("Enter")
    press(page, page.get_by_role("button", name="Show to phones in the room"))
    code = page.get_by_test_id("stCode").locator("code")
    expect(code).to_contain_text(f"http://127.0.0.1:{port}/")
    return code.inner_text().strip()


def test_a_phone_follows(page: Page, phone: Page, app: AppServer, drawn: Path) -> None:
    link = open_room(page, app)
    phone.goto(link)
    expect(phone.locator(".mm-title")).to_have_text("One moment")
    expect(page.get_by_text("Phones that follow now: 1")).to_be_visible()
    press(page, page.get_by_role("button", name="Back to the slides"))
    expect(title(page)).to_contain_text("images in")
    expect(phone.locator(".mm-title")).to_have_text(title(page).inner_text())
    press_key(page, "ArrowRight", "Instant on")
    expect(phone.locator(".mm-title")).to_contain_text("Instant on")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.evaluate(
        "[...document.querySelectorAll('#slide *, footer')].every("
        "e => parseFloat(getComputedStyle(e).fontSize) >= 16)"
    )
    expect(phone.get_by_text("Not for clinical use.")).to_be_in_viewport()
    # A phone without a network for a while comes back by itself.
    phone.context.set_offline(True)
    press_key(page, "ArrowLeft", "images in")
    phone.context.set_offline(False)
    expect(phone.locator(".mm-title")).to_contain_text("images in")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{link[:-2]}{'A' if link[-2] != 'A' else 'B'}/")
    page.keyboard.press("p")
    expect(phone.locator(".mm-title")).to_have_text("One moment")
    page.goto(f"{app.url}/?present=room")
    press(page, page.get_by_role("button", name="Close the address"))
    expect(phone.get_by_text("has ended the presentation")).to_be_visible()
