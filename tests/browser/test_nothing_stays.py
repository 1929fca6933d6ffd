"""A whole session with patients' files: nothing that names anybody stays behind."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import FilePayload, Page, Request, expect

from medmodel.core.config import config_for
from medmodel.imaging.privacy.confidentiality import identifying
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.training import train
from tests.browser.conftest import AppServer, at_rest, press
from tests.dicom_files import ct_slice
from tests.finished_run import create_ended

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
]
PLANTED = {
    "PatientName": "Quixotic^Zebulon",
    "PatientBirthDate": "19310417",
    "PatientAddress": "Unter den Ulmen",
    "OtherPatientIDs": "OTHER-90210-Z",
    "InstitutionName": "Hospital of Nowhere",
    "ReferringPhysicianName": "Marvellous^Meredith",
    "AccessionNumber": "ACC-775533",
    "StudyDate": "20110922",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.777123",
    "StudyDescription": "Fall from the balcony",
}
NUMBER = "PATNO-5577-"


def ct(label: int, patient: int) -> bytes:
    """A slice of somebody whose header tells all of `PLANTED`."""
    return ct_slice(
        label,
        patient,
        PatientID=f"{NUMBER}{label}{patient}",
        BurnedInAnnotation="YES",
        SOPInstanceUID=f"{PLANTED['StudyInstanceUID']}.{1 + label}{patient}",
        **PLANTED,
    )


def said_of_people(data: bytes) -> set[str]:
    """The file's identifying values that can hardly stand anywhere by chance."""
    found: set[str] = set()
    for element in pydicom.dcmread(io.BytesIO(data), force=True).iterall():
        if identifying(element):
            values = element.value if element.VM > 1 else [element.value]
            found |= {str(value).strip() for value in values or []}
    least = {True: 8, False: 5}
    return {
        text
        for text in found
        if len(text) >= least[text.replace(".", "").isdigit()] and text.isprintable()
    }


@pytest.fixture(scope="module")
def run(app: AppServer) -> Iterator[Run]:
    """A run that was trained on these people's scans as they came."""
    folder = app.workspace / "datasets" / "people"
    for label, name in enumerate(("plain", "contrast")):
        (folder / name).mkdir(parents=True)
        for patient in range(14):
            (folder / name / f"{patient}.dcm").write_bytes(ct(label, patient))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        run = create_ended(config_for("instant", str(folder), size=32, epochs=3))
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
            reporter.update(state=RunStatus.DONE, phase="finished")
        yield run


def dicom(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/dicom", "buffer": data}


def download_all(page: Page, least: int) -> list[Path]:
    """Presses every download button in sight, one right after the other.

    A press must not redraw the page: the next file would be gone with the old page.
    """
    buttons = page.get_by_test_id("stDownloadButton").get_by_role("button")
    expect(buttons.nth(least - 1)).to_be_visible()
    at_rest(page)
    taken = []
    for button in buttons.all():
        with page.expect_download() as waiting:
            button.click()
        taken.append(Path(waiting.value.path()))
    return taken


def contents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Every file, archives with what is packed in them."""
    for path in files:
        data = path.read_bytes()
        yield str(path), data
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}/{name}", archive.read(name)


def test_nothing_of_a_patient_stays(
    page: Page, app: AppServer, run: Run, real_data: Callable[[str], Path]
) -> None:
    # Two at least: a single one has no place in a row that could be waited for.
    uploads = [dicom("new.dcm", ct(1, 99)), dicom("newer.dcm", ct(0, 98))]
    try:
        people = sorted((real_data("dicom") / "phi").glob("*.dcm"))
    except pytest.skip.Exception:
        people = []  # the drawn ones do
    uploads += [dicom(f"real{n}.dcm", p.read_bytes()) for n, p in enumerate(people)]
    secret = {NUMBER, *PLANTED.values()}.union(
        *(said_of_people(file["buffer"]) for file in uploads)
    )
    assert len(secret) > len(PLANTED) + 5 * len(people)
    addresses: list[str] = []
    taken: list[Path] = []

    def asked(request: Request) -> None:
        addresses.append(request.url)

    page.context.on("request", asked)

    page.goto(f"{app.url}/datasets?dataset={run.config.dataset}")
    press(page, page.get_by_role("button", name="Check this folder"))
    expect(page.get_by_text("28 patients in 28 images").first).to_be_visible()
    page.goto(f"{app.url}/privacy")
    for upload in uploads:
        page.locator("input[type=file]").set_input_files(upload)
        # The field itself names the file before the page is drawn anew.
        expect(page.get_by_text(f"{upload['name']}: ")).to_be_visible()
        taken += download_all(page, 1)
    press(page, page.get_by_text("Show identifying values"))
    expect(page.get_by_text("may identify the patient (shown)")).to_be_visible()

    page.goto(f"{app.url}/diagnose?run={run.id}")
    press(page, page.get_by_role("button", name="I understand"))
    expect(page.get_by_text("No image yet")).to_be_visible()
    page.locator("input[type=file]").set_input_files(uploads)
    expect(page.get_by_text(f"1 of {len(uploads)}").first).to_be_visible()
    at_rest(page)
    body = page.locator("body").inner_text()
    assert not [text for text in secret if text in body]

    page.goto(f"{app.url}/evaluate?run={run.id}&view=Export")
    taken += download_all(page, 5)
    noted = (app.workspace / "audit.jsonl").read_text()
    assert noted.count('"action": "export"') >= 5
    assert noted.count('"action": "deidentify"') == len(uploads)
    page.goto(f"{app.url}/status")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    own = app.workspace / "datasets"
    files = [
        path
        for path in app.workspace.rglob("*")
        if path.is_file() and own not in path.parents
    ]
    assert len(taken) >= 6 and len(files) > 10
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in secret))
    assert pattern.search(uploads[0]["buffer"])  # it finds what it looks for
    for name, data in contents([*files, app.log, *taken]):
        assert not (found := pattern.search(data)), f"{found} in {name}"
    assert not pattern.search("\n".join(addresses).encode())
