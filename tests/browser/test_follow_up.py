"""Follow-up in a real browser: a time line of three dates."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from medmodel.runs.run import Run
from tests.browser.conftest import AppServer, at_rest, press
from tests.browser.test_diagnose import run

__all__ = ["run"]

pytestmark = pytest.mark.browser
NAMES = ("lesion_2024-05-01.png", "lesion_2024-01-01.png", "lesion_2024-03-01.png")


def test_a_time_line_of_three_dates(page: Page, app: AppServer, run: Run) -> None:
    page.goto(f"{app.url}/follow_up?run={run.id}")
    press(page, page.get_by_role("radio", name="Images over time"))
    press(page, page.get_by_role("button", name="I understand"))
    files = sorted(Path(run.config.dataset).glob("*/*.png"))
    images: list[FilePayload] = [
        {"name": name, "mimeType": "image/png", "buffer": file.read_bytes()}
        for name, file in zip(NAMES, files, strict=False)
    ]
    page.locator("input[type=file]").set_input_files(images)
    expect(page.get_by_text("Give two images a date")).to_be_visible()
    press(page, page.get_by_role("radio", name="from file names"))
    for number, size in enumerate(("26", "20", "21"), 1):
        field = page.get_by_label(f"Size of image {number} in mm")
        field.fill(size)
        field.press("Enter")
        at_rest(page)
    expect(
        page.get_by_text("Size: 20.0 to 26.0 mm (+30 %) in 121 days.")
    ).to_be_visible()
    expect(page.get_by_text("in 121 days").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
