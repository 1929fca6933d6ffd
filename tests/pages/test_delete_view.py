"""A data set is deleted on its page, said to be in the trash elsewhere, and undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data.dataset_trash import delete_dataset
from medmodel.data.synthetic import SAMPLE_NAME
from medmodel.predictor import Predictor
from medmodel.runs import trash
from medmodel.runs.run_store import RunStore
from pages._shared.data.delete_view import ask_to_delete
from tests.conftest import draw_class_folders
from tests.data.test_dataset_trash import prepare_all
from tests.finished_run import write_finished_run
from tests.pages.page import field, labels, open_page, press, said, show_part


@pytest.fixture
def imported(workspace: Path) -> Path:
    return draw_class_folders(workspace / "datasets" / "Imported *set*")


def test_deleted_after_a_question_and_undone(imported: Path) -> None:
    write_finished_run(imported, "A run")
    page = open_page("data/datasets.py", dataset=str(imported))
    press(page, "Delete")
    assert "kB: its images themselves" in said(page)
    assert "1 run uses it. Its model and results stay" in said(page)
    part = show_part(lambda: ask_to_delete(imported))
    press(part, "Move the data set to the trash")
    assert not part.error
    assert not imported.exists()
    page = open_page("data/datasets.py")
    assert "Imported *set*** is in the trash" in said(page)
    assert "Trash (1)" in [e.label for e in page.expander]
    press(page, "Undo")
    assert imported.is_dir()
    assert "in the trash" not in said(page)


def test_what_is_refused_is_one_sentence(imported: Path) -> None:
    page = show_part(lambda: ask_to_delete(imported))
    imported.rename(imported.with_name("elsewhere"))
    press(page, "Move the data set to the trash")
    (error,) = page.error
    assert "There is no folder" in str(error.value)


def test_a_folder_outside_offers_no_deletion(class_folders: Path) -> None:
    page = open_page("data/datasets.py", dataset=str(class_folders))
    press(page, "Delete")
    assert "nothing in it is ever deleted from here" in said(page)
    assert not [label for label in labels(page) if "to the trash" in label]


@pytest.mark.parametrize("path", ["models/runs.py", "results/evaluate.py"])
def test_its_runs_say_so_and_can_restore_it(imported: Path, path: str) -> None:
    run = write_finished_run(imported, "A run")
    assert "in the trash" not in said(open_page(path, run=run.id))
    delete_dataset(imported, RunStore())
    app = open_page(path, run=run.id)
    assert "The data set **Imported *set*** is in the trash" in said(app)
    press(app, "Restore the data set")
    assert imported.is_dir()
    assert "in the trash" not in said(app)


def test_a_link_to_it_says_so(imported: Path) -> None:
    delete_dataset(imported, RunStore())
    for page in ("data/datasets.py", "models/train.py"):
        app = open_page(page, dataset=str(imported))
        assert "is in the trash: its images are not shown" in said(app)
        assert "There is no folder" not in said(app)
        app = open_page(page, dataset=str(imported) + " 2")
        assert "There is no folder" in said(app)


@pytest.mark.parametrize("name", ["Imported *set*", "never there"])
def test_train_chooses_no_other_in_its_place(
    imported: Path, class_folders: Path, name: str
) -> None:
    delete_dataset(imported, RunStore())
    page = open_page("models/train.py", dataset=str(imported.with_name(name)))
    assert field(page, "Data set").value is None
    assert "Train" not in labels(page)
    field(page, "Data set").select(class_folders).run()
    assert "Train" in labels(page)


def test_train_asked_for_the_only_one_says_it_once(imported: Path) -> None:
    delete_dataset(imported, RunStore())
    page = open_page("models/train.py", dataset=str(imported))
    assert said(page).count("is in the trash") == 1


def test_train_does_not_wait_for_a_sample_in_the_trash(workspace: Path) -> None:
    sample = draw_class_folders(workspace / "datasets" / SAMPLE_NAME)
    (workspace / "datasets" / "no data set").mkdir()
    delete_dataset(sample, RunStore())
    page = open_page("models/train.py")
    assert f"{SAMPLE_NAME}** is in the trash" in said(page)
    press(page, "Restore the data set")
    assert "Train" in labels(page)


def test_the_trash_says_what_it_takes(imported: Path, workspace: Path) -> None:
    delete_dataset(imported, RunStore())
    size = trash.trash_size(workspace)
    page = open_page("data/datasets.py")
    assert f"it takes {size / 1000:.0f} kB of the disk" in said(page)


def test_pixels_alone_are_undone_on_the_page(class_folders: Path) -> None:
    place = prepare_all(class_folders)
    press(
        show_part(lambda: ask_to_delete(class_folders)), "Move only the decoded pixels"
    )
    assert not place.exists()
    page = open_page("data/datasets.py", dataset=str(class_folders))
    assert "Decoded pixels of easy** is in the trash" in said(page)
    press(page, "Undo")
    assert place.exists()


def test_images_of_a_missing_folder_are_one_sentence(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "A run")
    class_folders.rename(class_folders.with_name("elsewhere"))
    page = open_page("results/evaluate.py", run=run.id, view="Images")
    assert said(page).count("There is no folder") == 1
    assert [c.value for c in page.caption].count("Not available") > 1


def test_diagnose_offers_no_test_images_of_the_trash(
    imported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "warm", lambda *_: None)
    run = write_finished_run(imported, "A run")
    offer = "Try 3 images from this run's test split"
    page = press(open_page("results/diagnose.py", run=run.id), "I understand")
    assert offer in labels(page)
    delete_dataset(imported, RunStore())
    page.run()
    assert "The data set **Imported *set*** is in the trash" in said(page)
    assert offer not in labels(page)
