from __future__ import annotations

from pathlib import Path

import numpy as np

from medmodel.imaging import enhance
from medmodel.imaging.images import png_bytes
from tests.conftest import draw_class_folders
from tests.dicom_files import dicom_file
from tests.finished_run import write_finished_run
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


def test_images_of_a_data_set_are_of_all_its_classes(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "many", images_per_class=45, size=8)
    page = open_page("data/enhance.py", dataset=str(folder))
    dataset, image = page.selectbox
    assert dataset.options == ["many"] and len(image.options) == 40
    # Of 90 every second: 23 of the first class of 45.
    assert sum(option.startswith("dark") for option in image.options) == 23
    assert image.options[:2] == ["dark/dark_000.png", "dark/dark_002.png"]
    assert not [s for s in page.selectbox if s.label == "Window of scans"]


def test_a_chain_needs_a_name_and_something_to_do(class_folders: Path) -> None:
    page = open_page("data/enhance.py", dataset=str(class_folders))

    def may_save(name: str, steps: list[str]) -> bool:
        page.multiselect[0].set_value(steps)
        page.text_input[0].input(name).run()
        assert not page.exception
        return not next(b for b in page.button if b.label == "Save").disabled

    assert not may_save("Mine", []) and not may_save("  ", ["invert"])
    assert may_save("Mine", ["invert"]) and not page.slider
    next(b for b in page.button if b.label == "Save").click().run()
    assert r"Mine\: Invert" in [caption.value for caption in page.caption]


def test_no_image_yet() -> None:
    page = open_page("data/enhance.py")
    assert not page.exception
    assert any("Upload an image" in caption.value for caption in page.caption)


def test_of_a_folder_that_is_gone_others_can_be_chosen(class_folders: Path) -> None:
    write_finished_run(class_folders, "trained")
    missing = class_folders.parent / "missing"
    page = open_page("data/enhance.py", dataset=str(missing))
    assert "There is no folder" in page.error[0].value
    (chosen,) = (s for s in page.selectbox if s.label == "Data set")
    assert chosen.value == str(class_folders)


def test_what_is_no_image_is_named() -> None:
    page = open_page("data/enhance.py")
    page.file_uploader[0].set_value(("notes.png", b"hello", "image/png")).run()
    assert page.error[0].value.startswith(r"notes\.png is not an image")
