"""Every page in a real browser: opens, fits a phone, asks no other host."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

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
