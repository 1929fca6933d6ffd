"""The question how a data set is to be read: asked, answered, changed, failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.data import datasets
from medmodel.data.layouts.layout_choice import (
    FolderReading,
    LayoutChoice,
    TableReading,
    load_choice,
)
from medmodel.quality import indexing
from tests.conftest import draw_class_folders
from tests.pages.page import field, labels, open_page, press, said
from tests.pages.test_datasets_page import wait_for_check

PAGE = "data/datasets.py"
BY_SITE = FolderReading((), 1, 0, {"one": "train", "two": "test"})


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "sites"
    for site in ("one", "two"):
        draw_class_folders(folder / site, ("a", "b"))
    return folder


def checked(folder: Path) -> AppTest:
    indexing.start_indexing(folder)
    wait_for_check(folder)
    return open_page(PAGE, dataset=str(folder))


def test_question_answer_and_change(sites: Path) -> None:
    page = checked(sites)
    assert "How is this folder to be read?" in page.warning[0].value
    assert not page.error and "Train on this data set" not in labels(page)
    title = page.radio[0].options[0].replace("\\", "")
    assert title == ("Classes: a, b; training, validation, test or left out: one, two")
    button = next(b for b in page.button if b.label == "Read it so")
    assert button.disabled  # nothing is chosen yet, so nothing is trained
    primary = [b.label for b in page.main.button if b.proto.type == "primary"]
    assert primary == ["Read it so"]
    assert {"a", "b"} <= {caption.value for caption in page.caption}
    page.selectbox[0].set_value("train")
    page.selectbox[1].set_value("test").run()
    press(page, "Read it so")
    assert load_choice(sites).folders == BY_SITE
    wait_for_check(sites)
    page.run()
    assert "one (training), two (test)" in said(page)
    assert "Train on this data set" in labels(page)
    press(page, "Change how it is read")
    page.radio[0].set_value(1).run()
    press(page, "Read it so")
    wait_for_check(sites)
    index = datasets.load_index(sites)
    assert index is not None and index.classes == ["one", "two"]


def test_as_the_names_tell_asks_again(sites: Path) -> None:
    datasets.choose_layout(sites, LayoutChoice(BY_SITE))
    page = checked(sites)
    press(page, "Change how it is read")
    press(page, "As the names tell")
    assert load_choice(sites) == LayoutChoice()
    wait_for_check(sites)
    page.run()
    assert "How is this folder to be read?" in page.warning[0].value


def test_a_reading_that_fails_can_be_changed(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sites"
    draw_class_folders(folder / "one", ("a", "b"))
    draw_class_folders(folder / "two", ("a",))
    reading = FolderReading((), 1, 0, {"one": "", "two": "train"})
    datasets.choose_layout(folder, LayoutChoice(reading))
    page = checked(folder)
    assert "only the class 'a'" in page.error[0].value.replace("\\", "")
    assert "Read it so" in labels(page)


def test_a_table_of_unknown_columns(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("a", "b"))
    images = sorted(folder.rglob("*.png"))
    lines = ["wer;was;wie;wann_es"]
    for number, image in enumerate(images):
        image.rename(folder / f"{number}.png")
        lines.append(f"p{number};{number}.png;{'xy'[number % 2]};{number // 12}")
    (folder / "liste.csv").write_text("\n".join(lines))
    page = checked(folder)
    assert "liste" in page.warning[0].value
    assert field(page, "Column of the file").value == "was"
    assert "•••" in page.dataframe[0].value["wer"].tolist()
    # The options of a select box are no Markdown.
    assert "wann_es" in field(page, "Column of the split").options
    field(page, "Column of the class").set_value("wie")
    field(page, "Column of the split").set_value("wann_es").run()
    page.selectbox[-2].set_value("train")
    page.selectbox[-1].set_value("test").run()
    press(page, "Read it so")
    words = sorted({str(number // 12) for number in range(len(images))})
    assert load_choice(folder).tables == {
        "liste.csv": TableReading(
            "was",
            "wie",
            "",
            "wann_es",
            dict(zip(words, ("train", "test"), strict=True)),
        )
    }
    wait_for_check(folder)
    page.run()
    assert "the class in column 'wie'" in said(page)


def test_the_encoding_of_a_table_is_chosen_by_its_words(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("a", "b"))
    lines = ["file,label"]
    for path in sorted(folder.glob("*/*.png")):
        word = "s\u00e9v\u00e8re" if path.parent.name == "a" else "normal"
        lines.append(f"{path.relative_to(folder)},{word}")
    (folder / "t.csv").write_bytes("\n".join(lines).encode("cp1252"))
    page = checked(folder)
    assert "does not say its encoding" in page.warning[0].value
    choice = field(page, "Encoding of its text")
    options = [option.replace("\\", "") for option in choice.options]
    assert "Western (Windows): s\u00e9v\u00e8re" in options
    assert "Central European (Windows): s\u00e9v\u010dre" in options
    choice.set_value("cp1250").run()
    assert "s\u00e9v\u010dre" in said(page)
    press(page, "Read it so")
    wait_for_check(folder)
    index = datasets.load_index(folder)
    assert index is not None and index.classes == ["normal", "s\u00e9v\u010dre"]
    assert load_choice(folder).tables["t.csv"].encoding == "cp1250"


def test_columns_of_yes_and_no_are_proposed_where_they_are_asked_about(
    tmp_path: Path,
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("x", "y"))
    lines = ["file,ill,well,male,part"]
    for number, image in enumerate(sorted(folder.rglob("*.png"))):
        ill, male = number % 2, number // 2 % 2
        part = ("train", "test")[number // 4 % 2]
        lines.append(f"{image.name},{ill},{1 - ill},{male},{part}")
    (folder / "labels.csv").write_text("\n".join(lines))
    page = checked(folder)
    assert "are all of them findings?" in page.warning[0].value
    page.radio[0].set_value(len(page.radio[0].options) - 1).run()
    (columns,) = page.multiselect
    assert columns.value == ["ill", "well", "male"]
    columns.set_value([]).run()
    button = next(b for b in page.button if b.label == "Read it so")
    assert not button.disabled  # the folders name two classes
    press(page, "Read it so")


def test_a_table_that_names_no_class_is_no_answer(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("x", "y"))
    lines = ["file,ill,well,male"]
    for number, image in enumerate(sorted(folder.rglob("*.png"))):
        ill, male = number % 2, number // 2 % 2
        image.rename(folder / f"{number}.png")
        lines.append(f"{number}.png,{ill},{1 - ill},{male}")
    (folder / "labels.csv").write_text("\n".join(lines))
    page = checked(folder)
    (columns,) = page.multiselect
    assert columns.value == ["ill", "well", "male"]
    columns.set_value([]).run()
    button = next(b for b in page.button if b.label == "Read it so")
    assert button.disabled
