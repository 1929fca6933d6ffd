from __future__ import annotations

from pathlib import Path

import numpy as np

from medmodel.imaging import enhance
from medmodel.imaging.images import png_bytes
from tests.dicom_files import dicom_file
from tests.pages.page import open_page


def test_a_chain_is_tried_saved_and_offered_for_training(class_folders: Path) -> None:
    page = open_page("data/enhance.py")
    picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
    content = ("<b>mine.png", png_bytes(picture), "image/png")
    page.file_uploader[0].set_value(content).run()
    page.multiselect[0].set_value(["gamma", "invert"]).run()
    page.slider[0].set_value(2.0).run()
    page.text_input[0].input("Dark *and* inverted").run()
    next(b for b in page.button if b.label == "Save").click().run()
    assert not page.exception
    chain = enhance.Chain(("gamma:2", "invert"))
    assert enhance.saved_chains() == {"Dark *and* inverted": chain}
    page = open_page("models/train.py")
    field = next(s for s in page.selectbox if s.label == "Enhancement")
    assert field.options == ["None", "Dark *and* inverted"]


def test_a_scan_is_seen_through_a_window_that_the_chain_keeps(
    class_folders: Path,
) -> None:
    page = open_page("data/enhance.py")
    stored = np.arange(-1024, 3072, dtype="<i2").reshape(64, 64)
    scan = dicom_file(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=0)
    page.file_uploader[0].set_value(("a.dcm", scan, "application/dicom")).run()
    field = next(s for s in page.selectbox if s.label == "Window (DICOM, NIfTI)")
    field.set_value("by hand").run()
    level, width = page.slider[:2]
    level.set_value(300).run()
    width.set_value(1000).run()
    page.text_input[0].input("Narrow").run()
    next(b for b in page.button if b.label == "Save").click().run()
    assert not page.exception
    assert enhance.saved_chains() == {"Narrow": enhance.Chain((), "300/1000")}
    page = open_page("models/train.py")
    next(s for s in page.selectbox if s.label == "Enhancement").set_value(
        "Narrow"
    ).run()
    assert not page.exception
    assert any("window of scans: 300/1000" in c.value for c in page.caption)


def test_no_image_yet() -> None:
    page = open_page("data/enhance.py")
    assert not page.exception
    assert any("Upload an image" in caption.value for caption in page.caption)
