"""The page of data sets, in each of its states."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.core.config import config_for
from medmodel.core.locks import Lock
from medmodel.core.samples import Slicing
from medmodel.core.storage import write_json
from medmodel.data import curation, fetching, synthetic
from medmodel.quality import indexing
from medmodel.runs.run_store import RunStore
from medmodel.server import uploads
from tests.conftest import draw_class_folders
from tests.data.test_importing import GOOD, renamed, zipped
from tests.data.test_medmnist import npz
from tests.pages.page import labels, open_page, press, said
from tests.server.test_uploads import sent
from tests.volumes import draw_stacks, draw_volumes

PAGE = "data/datasets.py"

EVIL = "<b>x</b> **bold** $a$ :red[r] [l](x)"


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample data set that is drawn in an instant."""

    def draw(folder: Path) -> None:
        draw_class_folders(folder, ("One nodule", "No nodule"))

    monkeypatch.setattr(synthetic, "write_phantoms", draw)


def linked(page: AppTest) -> str:
    """The data set in the page's address."""
    value = page.query_params["dataset"]
    return value[0] if isinstance(value, list) else value


def wait_for_check(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while indexing.indexing_state(folder).running:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_chosen_offers_sample_recent_and_folders(class_folders: Path) -> None:
    RunStore().create(config_for("instant", str(class_folders)))
    page = open_page(PAGE)
    assert page.title[0].value == "Data sets"
    assert synthetic.SAMPLE_NAME in labels(page)
    assert labels(page).count("easy") == 2  # recent, and in the browser


def test_browsing_stays_inside(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "out").symlink_to("/etc")
    page = open_page(PAGE)
    assert "out" not in labels(page)
    press(page, "easy")
    assert {"dark", "light", "Up", "Check this folder"} <= set(labels(page))
    press(page, "Up")
    press(page, "Up")
    assert "Up" not in labels(page)
    page.session_state["browsed"] = Path("/etc")
    page.run()
    assert "Check this folder" not in labels(page)


def test_many_folders_are_filtered(tmp_path: Path) -> None:
    for number in range(70):
        (tmp_path / "data" / f"set{number:02}").mkdir(parents=True)
    page = open_page(PAGE)
    assert "The first 60 of 70 folders" in said(page)
    page.text_input[0].input("SET69").run()
    assert [b for b in labels(page) if b.startswith("set")] == ["set69"]


@pytest.mark.parametrize("asked", ["/etc", "/gone", "../..", "\0", EVIL])
def test_links_to_elsewhere_are_refused_in_a_sentence(asked: str) -> None:
    page = open_page(PAGE, dataset=str(asked))
    assert len(page.error) == 1
    assert "There is no folder" in page.error[0].value
    assert synthetic.SAMPLE_NAME in labels(page)


def test_sample_is_one_click_away(small_sample: None, workspace: Path) -> None:
    page = open_page(PAGE)
    press(page, synthetic.SAMPLE_NAME)
    folder = workspace / "datasets" / synthetic.SAMPLE_NAME
    assert linked(page) == str(folder)
    wait_for_check(folder)
    page.run()
    assert "24" in [m.value for m in page.metric]


def test_unchecked_folder_asks_for_the_check(class_folders: Path) -> None:
    page = open_page(PAGE, dataset=str(class_folders))
    assert "Check this folder" in labels(page)
    assert "Train on this data set" not in labels(page)
    press(page, "Check this folder")
    wait_for_check(class_folders)
    page.run()
    assert "Train on this data set" in labels(page)


def test_busy_shows_how_far_beside_the_old_findings(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    state = indexing.index_folder(class_folders) / "state.json"
    write_json(state, {"phase": "checking", "done": 1200, "total": 4800})
    with Lock(state.with_name("lock")):
        page = open_page(PAGE, dataset=str(class_folders))
    assert "Checking 1,200 of 4,800" in page.get("progress")[0].proto.text
    assert "Train on this data set" in labels(page)


def test_failed_says_why_and_offers_to_try_again(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "one", ("only",))
    indexing.start_indexing(folder)
    wait_for_check(folder)
    page = open_page(PAGE, dataset=str(folder))
    assert "one folder per class" in page.error[0].value
    assert "Check this folder" in labels(page)


def test_findings_are_shown_verdict_first(class_folders: Path) -> None:
    twin = (class_folders / "dark" / "dark_000.png").read_bytes()
    (class_folders / "light" / "twin.png").write_bytes(twin)
    (class_folders / "light" / "bad.png").write_text("no image")
    (class_folders / "notes.txt").write_text("note")
    indexing.check_folder(class_folders)
    page = open_page(PAGE, dataset=str(class_folders))
    assert "under two labels" in page.warning[0].value
    assert [m.value for m in page.metric][:3] == ["25", "2", "unknown"]
    table = page.dataframe[0].value
    assert table["Class"].tolist() == ["dark", "light"]
    assert table["All images"].tolist() == [12, 13]
    titles = [e.label for e in page.expander]
    assert titles[0] == "Identical images under two labels \\(1\\)"
    assert [t for t in titles if t.endswith("(1)")] == [
        "Identical images (1)",
        "Unreadable files, left out (1)",
        "Ignored files and folders (1)",
    ]
    frames = [d.value for d in page.dataframe if "Reason" in d.value]
    reasons = frames[0]["Reason"].tolist()
    assert "bad.png is not an image" in reasons[0]


def test_patients_follow_the_field(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    page = open_page(PAGE, dataset=str(class_folders))
    page.text_input[0].input(r"_(\d+)").run()
    assert "12 patients in 24 images" in said(page)
    page.text_input[0].input(r"(").run()
    assert "Not a regular expression" in page.error[0].value.replace("\\", "")
    assert "Train on this data set" in labels(page)


def test_train_takes_the_folder_along(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    page = open_page(PAGE, dataset=str(class_folders))
    press(page, "Train on this data set")
    assert linked(page) == str(class_folders)
    assert "Train" in page.title[0].value


def test_forty_classes_and_hostile_names(tmp_path: Path) -> None:
    names = tuple(f"class {n:02} " + "long " * 20 for n in range(39))
    folder = draw_class_folders(
        tmp_path / "data" / EVIL.replace("/", "|"),
        (EVIL.replace("/", "|"), *names),
        4,
        8,
    )
    indexing.check_folder(folder)
    page = open_page(PAGE, dataset=str(folder))
    assert len(page.dataframe[0].value) == 40
    shown = "\n".join(e.value for e in [*page.markdown, *page.caption, *page.warning])
    assert "**bold**" not in shown
    assert "$a$" not in shown
    assert r"\*\*bold\*\*" in shown


def test_a_finding_is_acted_on_and_taken_back(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here the check is done before the page goes on; elsewhere by another process.
    monkeypatch.setattr(indexing, "start_indexing", indexing.check_folder)
    page = checked_page(class_folders, "light/other.png")
    assert "**Check before training.** Identical images under two labels" in said(page)
    press(page, "Exclude")
    page = open_page(PAGE, dataset=str(class_folders))
    assert not [e.label for e in page.expander if "under two labels" in e.label]
    assert "2 files left out" in said(page)
    assert page.metric[0].value == "23"
    press(page, "Undo 1")
    page = open_page(PAGE, dataset=str(class_folders))
    assert page.metric[0].value == "25"
    assert not indexing.decisions(class_folders)


def test_what_cannot_be_split_is_shown_all_the_same(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "tiny", images_per_class=1)
    indexing.check_folder(folder)
    page = open_page(PAGE, dataset=str(folder))
    verdict = page.error[0].value.replace("\\", "")
    assert verdict.startswith("**No split possible.**")
    assert "tiny is too small to be split" in verdict
    assert "2 images in all: too few" in verdict
    assert page.metric[0].value == "2"
    assert list(page.dataframe[0].value) == ["Class", "Training", "All images"]
    assert "The folders hold no" not in said(page)


def test_few_images_are_in_the_first_line(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    page = open_page(PAGE, dataset=str(class_folders))
    assert page.warning[0].value.startswith("**Check before training.**")
    assert "24 images in all" in page.warning[0].value


def test_one_class_alone_is_nothing_to_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "start_indexing", indexing.check_folder)
    folder = draw_class_folders(tmp_path / "data" / "three", ("a", "b", "c"))
    indexing.check_folder(folder)

    def edited(called: list[str], use: list[bool]) -> AppTest:
        # The table cannot be edited without a browser.
        def editor(rows: pd.DataFrame, **_: object) -> pd.DataFrame:
            return (
                rows.assign(**{"New name": called}, Use=use) if len(rows) == 3 else rows
            )

        monkeypatch.setattr(st, "data_editor", editor)
        return open_page(PAGE, dataset=str(folder))

    few = "At least two classes must be left."
    for called, use, warned, disabled in [
        (["a", "b", "c"], [True, True, True], False, True),
        (["a", "b", "c"], [False, True, False], True, True),
        (["x", "x", "x"], [True, True, True], True, True),
        (["a", " ", "c"], [True, True, True], False, False),
        (["a", "b ", "b"], [True, True, True], False, False),
    ]:
        page = edited(called, use)
        assert (few in said(page), page.button("apply-classes").disabled) == (
            warned,
            disabled,
        )
    press(page, "Apply")
    assert [action.names for action in indexing.decisions(folder)] == [{"c": "b"}]


def checked_page(folder: Path, copy: str) -> AppTest:
    """The page of a data set where one dark image also lies elsewhere."""
    shutil.copy(folder / "dark" / "dark_000.png", folder / copy)
    indexing.check_folder(folder)
    return open_page(PAGE, dataset=str(folder))


def select(page: AppTest, label: str, value: str) -> None:
    next(b for b in page.selectbox if b.label == label).select(value).run()
    assert not page.exception


def test_slices_of_volumes_are_chosen(tmp_path: Path) -> None:
    folder = draw_volumes(tmp_path / "data" / "vols", count=3)
    indexing.check_folder(folder)
    page = open_page(PAGE, dataset=str(folder))
    assert "the middle axial slice" in said(page)
    select(page, "Of a volume (NIfTI)", "every")
    select(page, "Cut", "coronal")
    press(page, "Use these slices")
    wait_for_check(folder)
    chosen = curation.slicing(indexing.decisions(folder))
    assert chosen == Slicing("every", "coronal")
    page.run()
    assert "every 5th coronal slice" in said(page)
    assert "each volume counts as one" in said(page)
    assert "**Automatic window** by its own range" in said(page)


def test_pages_of_files_are_chosen_and_nothing_is_asked_of_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "start_indexing", indexing.check_folder)
    folder = draw_stacks(tmp_path / "data" / "stacks", count=4)
    indexing.check_folder(folder)
    page = open_page(PAGE, dataset=str(folder))
    assert [e.label for e in page.expander][0].startswith("Slices and frames (16 files")
    assert "of several frames or pages the first" in said(page)
    assert not [box for box in page.selectbox if box.label == "Cut"]
    select(page, "Of several frames or pages (DICOM, TIFF, GIF …)", "every")
    press(page, "Use these slices")
    chosen = curation.slicing(indexing.decisions(folder))
    assert chosen == Slicing(frames="every")
    page = open_page(PAGE, dataset=str(folder))
    assert "of several frames or pages every 5th" in said(page)


def bring(page: AppTest, kind: str, files: dict[str, bytes]) -> str:
    """Uploads as a browser does; returns the ticket."""
    ticket: str = page.session_state[f"upload-{kind}"]
    for name, content in files.items():
        sent(ticket, name, content)
    page.session_state[f"arrived-{kind}"] = ticket
    page.run()
    return ticket


def test_what_was_uploaded_is_imported(workspace: Path) -> None:
    page = open_page(PAGE)
    assert "Import" not in labels(page)
    ticket = bring(page, "zip", {"My set.zip": zipped(GOOD).getvalue()})
    press(page, "Import")
    assert (workspace / "datasets" / "My set" / "a" / "1.png").exists()
    assert uploads.opened(ticket) is None
    assert not list((workspace / "uploads").iterdir())


def test_names_of_an_old_archive_are_shown_as_they_would_be_read(
    workspace: Path,
) -> None:
    files = {"\u6b63\u5e38/1.png": b"x", "b/Thumbs.db": b"", "b/\x01.png": b"y"}
    page = open_page(PAGE)
    bring(page, "zip", {"set.zip": renamed(files, "gb18030").getvalue()})
    assert "Names read so** \u6b63\u5e38" in said(page)
    press(page, "Import")
    folder = Path(linked(page))
    assert (folder / "\u6b63\u5e38" / "1.png").exists()
    wait_for_check(folder)
    page.run()
    assert "Left out: b/" in said(page) and "its name is not valid text" in said(page)


def test_a_folder_is_imported_or_given_up(workspace: Path) -> None:
    page = open_page(PAGE)
    page.segmented_control[0].select("Folder").run()
    mine = {f"mine/{name}": content for name, content in GOOD.items()}
    bring(page, "folder", mine)
    press(page, "Choose something else")
    assert not list((workspace / "uploads").iterdir())
    bring(page, "folder", mine)
    press(page, "Import")
    assert (workspace / "datasets" / "mine" / "b" / "2.png").read_bytes() == b"two"


def test_public_sets_say_their_licence_first(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_MEDMNIST", "http://127.0.0.1:1")
    page = open_page(PAGE)
    assert "**Licence** CC BY 4" in said(page)
    assert "Scientific Data" in said(page)
    select(page, "Set", "dermamnist")
    assert "not for commercial use" in said(page)
    assert not (workspace / "downloads" / "dermamnist.json").exists()
    press(page, "Download")
    deadline = time.monotonic() + 60
    while fetching.state_of("dermamnist", 28).running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.run()
    assert "cannot be reached" in said(page)
    page.radio(key="public-way").set_value("Bring the file").run()
    bring(page, "npz", {"breastmnist.npz": npz(tmp_path / "x.npz").read_bytes()})
    press(page, "Import it")
    made = workspace / "datasets" / "breastmnist" / "train"
    assert sorted(p.name for p in made.iterdir()) == ["malignant", "normal, benign"]
