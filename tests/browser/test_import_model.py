"""A model of Teachable Machine is brought in, and answers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT, AppServer, press
from tests.foreign_models import SIDE, teachable_machine_answer, teachable_machine_zip

pytestmark = pytest.mark.browser
CONVERTED = 4 * WAIT


def test_teachable_machine_to_answer(
    page: Page, app: AppServer, tmp_path: Path
) -> None:
    page.goto(f"{app.url}/import_model")
    page.locator("input[type=file][aria-label='Model file']").set_input_files(
        {
            "name": "converted_keras.zip",
            "mimeType": "application/zip",
            "buffer": teachable_machine_zip(tmp_path),
        }
    )
    expect(page.get_by_text("Teachable Machine").first).to_be_visible(timeout=CONVERTED)
    classes = page.get_by_role("textbox", name="Classes, one a line")
    expect(classes).to_have_value("dark\nbright")
    expect(page.get_by_text("What the model sees")).to_be_visible()
    name = page.get_by_role("textbox", name="Name of the model")
    name.fill("Bright or dark")
    name.press("Enter")
    press(page, page.get_by_test_id("stBaseButton-primary").filter(has_text="Import"))
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Bright or dark", timeout=CONVERTED)
    expect(page.get_by_text("Its training images are not known")).to_be_visible()
    press(page, page.get_by_role("button", name="Diagnose with this model"))
    press(page, page.get_by_role("button", name="I understand"))
    pixels = np.full((SIDE, SIDE, 3), 230, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "new.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    right = ("dark", "bright")[int(teachable_machine_answer(pixels[None])[0].argmax())]
    expect(page.get_by_text("Predicted class").first).to_be_visible(timeout=CONVERTED)
    expect(page.get_by_text("trained elsewhere").first).to_be_visible()
    expect(page.get_by_text(right).first).to_be_visible()
    # Nothing of what was sent stays but the run.
    assert not list((app.workspace / "uploads").iterdir())
    assert not list((app.workspace / "imports").iterdir())
