"""A ZIP file with CT becomes a data set, is trained on, and a scan is windowed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WAIT, AppServer, press
from tests.dicom_files import ct_slice

pytestmark = pytest.mark.browser
TRAINED = 4 * WAIT


def ct(label: int, patient: int) -> bytes:
    return ct_slice(
        label,
        patient,
        PatientID=f"patient-{label}-{patient}",
        WindowCenter=10 * patient,
        WindowWidth=50 + patient,
    )


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("../escaped.dcm", b"out")
        for label, name in enumerate(("plain", "contrast")):
            for patient in range(14):
                file.writestr(f"{name}/{patient}.dcm", ct(label, patient))
    return buffer.getvalue()


def upload_field(page: Page, label: str) -> Locator:
    """The field, which bears its label from the moment when it takes files."""
    return page.locator(f"input[type=file][aria-label='{label}']")


def primary(page: Page, label: str) -> Locator:
    """The page's main button."""
    return page.get_by_test_id("stBaseButton-primary").filter(has_text=label)


def test_zip_to_model_to_answer(page: Page, app: AppServer) -> None:
    page.goto(f"{app.url}/datasets")
    press(page, page.get_by_text("Import from your computer"))
    upload_field(page, "ZIP file").set_input_files(
        {"name": "Hospital.zip", "mimeType": "application/zip", "buffer": archive()}
    )
    press(page, primary(page, "Import"))
    train = page.get_by_role("button", name="Train on this data set")
    train.wait_for()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hospital")
    expect(page.get_by_text("28 patients in 28 images").first).to_be_visible()
    assert not list(app.workspace.rglob("escaped*"))
    press(page, train)
    # The button of the page before may still be there.
    press(page, primary(page, "Train").filter(has_not_text="data set").first)
    diagnose = page.get_by_role("button", name="Diagnose with this model")
    diagnose.wait_for(timeout=TRAINED)
    press(page, diagnose)
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_text("No image yet")).to_be_visible()
    page.locator("input[type=file]").set_input_files(
        {"name": "new.dcm", "mimeType": "application/dicom", "buffer": ct(1, 4)}
    )
    expect(page.get_by_text("Predicted class").first).to_be_visible(timeout=TRAINED)
    log = (app.workspace / "audit.jsonl").read_text()
    assert "new.dcm" not in log and "patient-" not in log


def test_folder_from_the_computer(page: Page, app: AppServer, tmp_path: Path) -> None:
    for label in ("one", "two"):
        (tmp_path / "scans" / label).mkdir(parents=True)
        for patient in range(8):
            name = tmp_path / "scans" / label / f"ü {patient}.dcm"
            name.write_bytes(ct(label == "two", patient))
    page.goto(f"{app.url}/datasets")
    press(page, page.get_by_text("Import from your computer"))
    press(page, page.get_by_role("radio", name="Folder"))
    upload_field(page, "Folder").set_input_files(tmp_path / "scans")
    expect(page.get_by_label("Name of the data set")).to_have_value("scans")
    press(page, primary(page, "Import"))
    train = page.get_by_role("button", name="Train on this data set")
    train.wait_for()
    found = (app.workspace / "datasets" / "scans").rglob("*.dcm")
    assert sorted(file.name for file in found)[-1] == "ü 7.dcm"
    assert not list((app.workspace / "uploads").iterdir())
