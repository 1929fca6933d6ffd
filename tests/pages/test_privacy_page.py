from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.dicom_files import dicom_file
from tests.pages.page import open_page


def drawn() -> bytes:
    pixels = np.arange(32 * 32, dtype="<i2").reshape(32, 32)
    return dicom_file(pixels, BurnedInAnnotation="YES")


def opened(data: bytes) -> AppTest:
    page = open_page("data/privacy.py")
    page.file_uploader[0].set_value(("scan.dcm", data, "application/dicom")).run()
    assert not page.exception
    return page


def test_identifying_values_are_hidden_until_asked(workspace: Path) -> None:
    page = opened(drawn())
    assert "Tester" not in page.dataframe[0].value.to_string()
    assert "4711" not in page.dataframe[0].value.to_string()
    page.toggle[0].set_value(True).run()
    assert "Tester" in page.dataframe[0].value.to_string()
    log = (workspace / "audit.jsonl").read_text()
    assert "reveal_header" in log
    assert "Tester" not in log and "4711" not in log and "scan.dcm" not in log


def test_showing_identifying_values_is_noted_once_for_each_file(
    workspace: Path,
) -> None:
    page = opened(drawn())
    for shown in (True, False, True):
        page.toggle[0].set_value(shown).run()
    log = (workspace / "audit.jsonl").read_text()
    assert log.count("reveal_header") == 1


def test_elements_are_counted_and_said_to_be_hidden() -> None:
    page = opened(drawn())
    table = page.dataframe[0].value
    hidden = int((table["Value"] == "hidden").sum())
    (caption,) = [c.value for c in page.caption if "elements" in c.value]
    counts = f"{len(table)} elements, of which {hidden} may identify the patient"
    assert f"{counts} (hidden)" in caption
    page.toggle[0].set_value(True).run()
    (caption,) = [c.value for c in page.caption if "elements" in c.value]
    assert f"{counts} (shown)" in caption


def test_burned_in_text_is_warned_of() -> None:
    page = opened(drawn())
    assert page.warning


def test_no_dicom_is_one_sentence() -> None:
    page = opened(b"\x89PNG\r\n\x1a\n")
    assert not page.toggle
    assert "not a DICOM file" in page.error[0].value
