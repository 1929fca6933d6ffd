"""Every page in a real browser: opens, fits a phone, asks no other host."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from medmodel.core.config import config_for
from medmodel.runs.notes import change_notes
from medmodel.runs.run import RunStore
from tests.browser.conftest import AppServer, at_rest

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
