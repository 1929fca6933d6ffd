"""Runs that were deleted: undone, restored, removed; several at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.runs import trash
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from pages._shared.common.trash_view import ask_to_empty
from pages._shared.runs.bulk_actions import delete_runs
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said, show_part


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    folder = draw_class_folders(tmp_path / "data" / "easy", ("dark", "light"), 3)
    return [write_finished_run(folder, f"Run *{n}*", seed=n) for n in range(3)]


def test_a_deletion_is_undone(runs: list[Run]) -> None:
    RunStore().delete(runs[0])
    page = open_page("models/runs.py")
    assert "**Run *0*** is in the trash" in said(page)
    press(page, "Undo")
    assert not page.exception and not page.error
    assert runs[0].model_path.exists()
    assert "in the trash" not in said(page)


def test_the_trash_is_emptied_and_says_so(runs: list[Run]) -> None:
    store = RunStore()
    for run in runs:
        store.delete(run)
    page = open_page("models/runs.py")
    assert [e.label for e in page.expander] == ["Trash (3)"]
    press(page, "Empty the trash")
    assert len(trash.discarded(store.root)) == 3  # It asks first.
    assert "3 items are removed for good" in said(page)
    items = trash.discarded(store.root)
    press(show_part(lambda: ask_to_empty(items)), "Remove for good")
    assert trash.discarded(store.root) == []
    assert not open_page("models/runs.py").expander


def test_what_another_tab_restored_is_one_sentence(runs: list[Run]) -> None:
    store = RunStore()
    store.delete(runs[0])
    page = open_page("models/runs.py")
    trash.restore(store.root, trash.discarded(store.root)[0].id)
    store.delete(runs[1])
    press(page, "Restore 1")
    assert not page.exception
    assert runs[0].folder.exists()


@pytest.mark.usefixtures("runs")
def test_one_that_cannot_go_stops_no_other(runs: list[Run]) -> None:
    lock = runs[1].lock
    assert lock.acquire()
    refused: list[str] = []
    delete_runs([run.id for run in [*runs, runs[0]]], refused.append)
    lock.release()
    assert [run.id for run in RunStore().list()] == [runs[1].id]
    assert len(refused) == 2
    assert "stop it first" in refused[0] and "may have been deleted" in refused[1]


def test_a_link_to_a_deleted_run_can_restore_it(runs: list[Run]) -> None:
    RunStore().delete(runs[0])
    page = open_page("models/runs.py", run=runs[0].id)
    assert "The run **Run *0*** is in the trash" in said(page)
    assert not page.error
    press(page, "Restore the run")
    assert [title.value for title in page.title] == ["Run \\*0\\*"]
    page = open_page("models/runs.py", run="20200101-000000-000000")
    assert "may have been deleted" in said(page)
