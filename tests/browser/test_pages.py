"""Every page in a real browser: opens, fits a phone, asks no other host."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from medmodel.core.config import config_for
from medmodel.runs.notes import change_notes
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.curves import append_epoch
from medmodel.server.preload import HOLD_STILL
from tests.browser.conftest import AppServer, at_rest
from tests.finished_run import create_ended

pytestmark = pytest.mark.browser
PAGES = {
    "": "MedModel",
    "datasets": "Data sets",
    "train": "Train",
    "runs": "Runs",
    "diagnose": "Diagnose",
    "status": "Status",
}


@pytest.mark.parametrize("path", PAGES)
def test_page_opens_and_fits_a_phone(page: Page, app: AppServer, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/{path}")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text(PAGES[path])
    expect(page.get_by_text("Not for clinical use").first).to_be_visible()
    at_rest(page)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


def test_the_menu_shows_every_section(page: Page, app: AppServer) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(app.url)
    # The last page of the last section.
    status = page.get_by_role("link", name="Status", exact=True)
    expect(status).to_be_visible()
    status.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_disclaimer_covers_nothing(page: Page, app: AppServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    page.goto(f"{app.url}/status")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    at_rest(page)
    note = page.get_by_role("note").bounding_box()
    assert note
    inside = page.get_by_test_id("stHeader").bounding_box()
    assert inside and inside["y"] <= note["y"]
    assert note["y"] + note["height"] <= inside["y"] + inside["height"]
    for name in ("stMainMenu", "stHeaderLogo" if width < 640 else "stSidebarLogo"):
        other = page.get_by_test_id(name).bounding_box()
        assert other
        right = other["x"] >= note["x"] + note["width"]
        assert right or note["x"] >= other["x"] + other["width"]
    # Room for the status of a running script, 8.5 rem from the right.
    rem = page.evaluate(
        "parseFloat(getComputedStyle(document.body.parentElement).fontSize)"
    )
    assert note["x"] + note["width"] <= width - 8.5 * rem + 1
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") == 0


def test_the_run_page_scrolls_as_a_whole_on_a_phone(
    page: Page, app: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
    run = create_ended(config_for("compact", "/data/lungs"))
    append_epoch(run, {"epoch": 1, "step": 10, "loss": 1.0, "val_loss": 1.0})
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/runs?run={run.id}")
    page.locator("[data-chart=accuracy] .main-svg").first.wait_for()
    at_rest(page)
    boxes = """element => {
      const boxes = [];
      let each = element;
      for (; each.dataset.testid !== "stMain"; each = each.parentElement)
        if (each.scrollHeight > each.clientHeight + 1 && each.clientHeight > 100 &&
            ["auto", "scroll"].includes(getComputedStyle(each).overflowY))
          boxes.push(each.className);
      return boxes;
    }"""
    assert page.locator(".mm-live").evaluate(boxes) == []


LINKS = (
    "http://a.example/x HTTPS://b.example www.c.example d@e.example <http://f.example> "
    "[g](http://h.example) ![i](http://j.example/k.png) mailto:l@m.example"
)


def test_names_and_notes_never_become_links(page: Page, app: AppServer) -> None:
    config = config_for("instant", "/data/www.n.example", name=LINKS)
    store = RunStore(app.workspace)
    run = store.create(config)
    change_notes(run, tags=["www.o.example"], note=LINKS)
    for path in (f"runs?run={run.id}", "runs", ""):
        page.goto(f"{app.url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        at_rest(page)
        # Links of our own name folders, which is no address of another host.
        assert page.locator("img[src*='example']").count() == 0
        hosts = page.locator("a[href]").evaluate_all("all => all.map(a => a.host)")
        assert set(hosts) == {app.url.removeprefix("http://")}
    page.goto(f"{app.url}/runs?run={run.id}")
    title = page.get_by_role("heading", level=1).inner_text()
    assert title.replace("\N{WORD JOINER}", "") == LINKS


def test_a_page_is_shown_with_its_heading_and_from_then_on(page: Page) -> None:
    page.set_content(f"{HOLD_STILL.decode()}<div id='root'><p>skeleton</p></div>")
    root = page.locator("#root")
    expect(root).to_have_css("visibility", "hidden")
    page.evaluate("document.querySelector('p').outerHTML = '<h1>Runs</h1>'")
    expect(root).to_have_css("visibility", "visible")
    # As between two pages.
    page.evaluate("document.querySelector('h1').remove()")
    expect(root).to_have_css("visibility", "visible")


def test_a_page_waits_for_what_is_still_a_placeholder(page: Page) -> None:
    placeholder = "<div data-testid='stSkeleton'></div>"
    text = "<div data-testid='stMarkdown'><div class='text'>Ended</div></div>"
    root = page.locator("#root")
    page.set_content(
        "<style>.text { visibility: visible; }</style>"
        f"{HOLD_STILL.decode()}<div id='root'><h1>Runs</h1>{text}{placeholder}</div>"
    )
    expect(root).to_have_css("visibility", "hidden")
    expect(page.locator(".text")).to_have_css("visibility", "hidden")
    page.evaluate("document.querySelector('[data-testid=stSkeleton]').remove()")
    expect(root).to_have_css("visibility", "visible")
    # As when a press brings a chart.
    page.evaluate(f"document.querySelector('h1').innerHTML = \"{placeholder}\"")
    expect(root).to_have_css("visibility", "visible")


@pytest.mark.parametrize("content", ["<p>skeleton</p>", "<h1></h1>"])
def test_a_page_without_all_that_it_waits_for_is_shown_in_the_end(
    page: Page, content: str
) -> None:
    content += "<div data-testid='stSkeleton'></div>"
    page.set_content(f"{HOLD_STILL.decode()}<div id='root'>{content}</div>")
    root = page.locator("#root")
    expect(root).to_have_css("visibility", "hidden")
    page.evaluate("document.getAnimations().forEach((each) => each.finish())")
    expect(root).to_have_css("visibility", "visible")
