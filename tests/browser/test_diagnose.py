"""Diagnose in a real browser: image in, bars and heat map out, asked once."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect
from pydicom import dcmread

from medmodel.runs.run import Run
from tests.browser.conftest import WAIT, AppServer, at_rest, choose, one_run, press
from tests.conftest import draw_class_folders
from tests.dicom_files import dicom_bytes, dicom_dataset
from tests.tiny_run import make_tiny_run

pytestmark = pytest.mark.browser
CAPTION = "Where the network was sensitive, not the outline of a lesion."


@pytest.fixture(scope="module")
def run(app: AppServer) -> Iterator[Run]:
    """A finished run with a real model in the served workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(
            app.workspace / "datasets" / "easy", images_per_class=4
        )
        yield make_tiny_run(folder, "tiny")


def picture(run: Run, name: str = "") -> FilePayload:
    file = sorted(Path(run.config.dataset).glob("*/*.png"))[0]
    return {
        "name": name or file.name,
        "mimeType": "image/png",
        "buffer": file.read_bytes(),
    }


def opened(page: Page, app: AppServer, run: Run) -> None:
    page.goto(f"{app.url}/diagnose?run={run.id}")
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_text("No image yet")).to_be_visible()
    at_rest(page)


def drop(page: Page, *files: FilePayload) -> None:
    page.locator("input[type=file]").set_input_files(list(files))
    choice = page.get_by_text("Predicted class:").first
    expect(choice).to_be_visible()
    at_rest(page)


def heatmap(page: Page) -> str:
    """The address of the overlay: it changes with every pixel."""
    image = page.get_by_alt_text("laid over the image")
    expect(image).to_be_visible()
    return image.get_attribute("src") or ""


def requests_in(workspace: Path) -> int:
    log = (workspace / "audit.jsonl").read_text()
    return sum(log.count(f'"action": "{what}"') for what in ("predict", "explain"))


def test_bars_heatmap_and_a_slider_that_asks_nobody(
    page: Page, app: AppServer, run: Run
) -> None:
    opened(page, app, run)
    asked = requests_in(app.workspace)
    drop(page, picture(run))
    bars = page.locator(".js-plotly-plot .bars .point")
    expect(bars).to_have_count(2)
    expect(page.get_by_text(CAPTION)).to_be_visible()
    before = heatmap(page)
    page.get_by_role("slider").press("End")
    # The address of the old image leaves the page.
    expect(page.locator(f"img[src='{before}']")).to_have_count(0)
    assert heatmap(page) != before
    assert requests_in(app.workspace) == asked + 1


def test_a_bad_file_beside_a_good_one(page: Page, app: AppServer, run: Run) -> None:
    opened(page, app, run)
    bad: FilePayload = {
        "name": "<i>broken</i>.png",
        "mimeType": "image/png",
        "buffer": b"not an image",
    }
    drop(page, bad, picture(run, "good.png"))
    expect(page.get_by_text("i>.png is not an image")).to_have_count(1)
    expect(page.get_by_text("good.png, 32 × 32 pixels, PNG")).to_be_visible()


def test_arrow_keys_step_through_many(page: Page, app: AppServer, run: Run) -> None:
    opened(page, app, run)
    press(page, page.get_by_role("button", name="Try 3 images"))
    expect(page.get_by_text("1 of 3", exact=True)).to_be_visible()
    press(page, page.get_by_text("Predicted class:").first)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("2 of 3", exact=True)).to_be_visible()
    at_rest(page)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("1 of 3", exact=True)).to_be_visible()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = Path(download.value.path()).read_text()
    assert text.startswith("file,true_class,predicted_class,score_dark,score_light")
    assert len(text.splitlines()) == 4


def test_evaluation_on_the_run_page(page: Page, app: AppServer, run: Run) -> None:
    page.goto(f"{app.url}/runs?run={run.id}")
    expect(page.get_by_text("How good is it?")).to_be_visible()
    expect(page.get_by_text("Baseline (").first).to_be_visible()


def test_the_model_is_tested_on_another_folder(
    page: Page, app: AppServer, run: Run
) -> None:
    folders = app.workspace / "datasets"
    draw_class_folders(folders / "Another", ("a", "b"), 1)
    draw_class_folders(folders / "Elsewhere", ("Dark field", "light"), 2, seed=5)
    page.goto(f"{app.url}/evaluate?run={run.id}&view=External test")
    choose(page, "Folder", lambda: page.get_by_role("option", name="Elsewhere"))
    mapping = "Dark field counts as"
    expect(page.get_by_role("combobox", name=mapping)).to_be_visible()
    choose(page, mapping, lambda: page.get_by_role("option", name="dark", exact=True))
    press(page, page.get_by_role("button", name="Test it there"))
    result = page.get_by_role("button", name="Open the result")
    result.wait_for(timeout=4 * WAIT)
    press(page, result)
    frame = page.get_by_text("Measured on 4 images of an external data set, Elsewhere")
    expect(frame).to_be_visible()
    expect(frame).to_contain_text("There, Dark field counts as dark.")
    expect(page).not_to_have_url(re.compile(run.id))


def test_consent_is_asked_once_per_browser_and_images_stay(
    page: Page, app: AppServer, run: Run
) -> None:
    opened(page, app, run)
    drop(page, picture(run))
    page.get_by_role("link", name="Status").click()
    expect(page).to_have_url(re.compile("/status$"))
    page.get_by_role("link", name="Diagnose").click()
    expect(page.get_by_text("Predicted class:").first).to_be_visible()
    at_rest(page)
    page.reload()
    # A reload is a new session, which has no images; but nobody is asked again.
    expect(page.get_by_text("No image yet")).to_be_visible()
    expect(page.get_by_role("button", name="I understand")).to_have_count(0)


def test_a_report_of_a_dicom_file_is_downloaded_and_opens(
    page: Page, app: AppServer, run: Run
) -> None:
    opened(page, app, run)
    pixels = (np.arange(2400) % 251).astype(np.uint8).reshape(40, 60)
    data = dicom_bytes(dicom_dataset(pixels, StudyInstanceUID="1.2.3"))
    drop(page, {"name": "x.dcm", "mimeType": "application/dicom", "buffer": data})
    press(page, page.get_by_text("Write a report"))
    text = page.get_by_label("Your text")
    text.fill("Nothing to see.")
    with one_run(page):
        page.keyboard.press("Control+Enter")
    files: dict[str, bytes] = {}
    for name in ("PDF", "HTML", "DICOM SR", "DICOM PDF"):
        with page.expect_download() as download:
            press(page, page.get_by_role("button", name=name, exact=True))
        files[name] = Path(download.value.path()).read_bytes()
    assert files["PDF"].startswith(b"%PDF")
    report = dcmread(io.BytesIO(files["DICOM SR"]))
    assert report.Modality == "SR" and "Nothing to see." in str(report)
    document = dcmread(io.BytesIO(files["DICOM PDF"]))
    assert document.EncapsulatedDocument.startswith(b"%PDF")
    page.set_content(files["HTML"].decode())
    expect(page.get_by_text("Nothing to see.")).to_be_visible()
    expect(page.get_by_role("heading", name="Report of one image")).to_be_visible()
    assert "Tester" not in page.content()
