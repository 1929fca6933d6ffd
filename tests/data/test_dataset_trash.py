"""Data sets of the workspace go to the trash and come back; nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.data import dataset_trash, synthetic
from medmodel.data.dataset_trash import delete_dataset, delete_prepared
from medmodel.data.folders import index_folder
from medmodel.data.prepared import prepare, prepared_folders
from medmodel.runs import trash
from medmodel.runs.run_store import RunStore
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

SIZE = Preprocessing(size=16)


@pytest.fixture
def imported(workspace: Path) -> Path:
    return draw_class_folders(workspace / "datasets" / "Imported *set*")


def paths_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.png"))


def prepare_all(folder: Path, size: int = 16) -> Path:
    table = pd.DataFrame({"path": paths_in(folder)})
    return prepare(folder, table, Preprocessing(size=size)).folder


def test_all_of_it_goes_and_comes_back(imported: Path, workspace: Path) -> None:
    store = RunStore()
    names = paths_in(imported)
    pixels = prepare_all(imported)
    index = index_folder(imported)
    index.mkdir(parents=True)
    (index / "layout.json").write_text("decided")
    item_id = delete_dataset(imported, store)
    assert not imported.exists() and not pixels.exists() and not index.exists()
    (item,) = trash.discarded(workspace)
    assert (item.kind, item.title) == ("data set", "Imported *set*")
    stored = sum(
        p.stat().st_size for p in (workspace / "trash").rglob("*") if p.is_file()
    )
    described = (workspace / "trash" / item_id / "item.json").stat().st_size
    assert item.size == stored - described == trash.trash_size(workspace)
    trash.restore(workspace, item_id)
    assert paths_in(imported) == names
    assert (index / "layout.json").read_text() == "decided"
    # The pixels are those of these very files: nothing is decoded again.
    assert prepared_folders(imported) == [pixels]
    assert prepare_all(imported) == pixels
    assert list((workspace / "trash").iterdir()) == []


def test_another_of_the_same_name_starts_afresh(
    imported: Path, workspace: Path
) -> None:
    index = index_folder(imported)
    index.mkdir(parents=True)
    (index / "layout.json").write_text("of the first")
    item_id = delete_dataset(imported, RunStore())
    draw_class_folders(imported, ("a", "b"))
    assert not index.exists()
    with pytest.raises(DataError, match="exists again"):
        trash.restore(workspace, item_id)
    assert paths_in(imported)[0].startswith("a/")


def test_a_folder_elsewhere_is_never_touched(
    class_folders: Path, workspace: Path, tmp_path: Path
) -> None:
    datasets = workspace / "datasets"
    datasets.mkdir(parents=True)
    link = datasets / "linked"
    link.symlink_to(class_folders)
    inner = draw_class_folders(datasets / "collection" / "inner")
    names = paths_in(tmp_path)
    for folder in (
        class_folders,
        link,
        inner,
        datasets,
        workspace,
        datasets / "linked" / "..",
    ):
        with pytest.raises(DataError, match="does not lie in the workspace"):
            delete_dataset(folder, RunStore())
    assert paths_in(tmp_path) == names and link.is_symlink()
    assert trash.discarded(workspace) == []


def test_datasets_behind_a_link_are_somewhere_else(
    class_folders: Path, workspace: Path
) -> None:
    workspace.mkdir(parents=True)
    (workspace / "datasets").symlink_to(class_folders.parent)
    with pytest.raises(DataError, match="does not lie in the workspace"):
        delete_dataset(workspace / "datasets" / class_folders.name, RunStore())
    assert class_folders.is_dir()


def test_links_in_it_are_not_followed_when_it_is_removed(
    imported: Path, workspace: Path, class_folders: Path
) -> None:
    (imported / "more").symlink_to(class_folders)
    item_id = delete_dataset(imported, RunStore())
    trash.remove(workspace, item_id)
    assert len(paths_in(class_folders)) == 24


def test_another_disk_inside_is_not_removed_with_it(
    imported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lstat = os.lstat

    def on_another_disk(path: str) -> os.stat_result:
        facts = lstat(path)
        if not str(path).endswith("/light"):
            return facts
        return os.stat_result((*facts[:2], facts.st_dev + 1, *facts[3:10]))

    monkeypatch.setattr(os, "lstat", on_another_disk)
    with pytest.raises(DataError, match="another disk"):
        delete_dataset(imported, RunStore())
    assert len(paths_in(imported)) == 24


@pytest.mark.parametrize("name", ["lock", "map.lock"])
def test_not_while_it_is_checked(imported: Path, name: str) -> None:
    index_folder(imported).mkdir(parents=True)
    with (
        Lock(index_folder(imported) / name),
        pytest.raises(DataError, match="is being checked"),
    ):
        delete_dataset(imported, RunStore())
    assert imported.is_dir()


def test_not_while_a_run_needs_it(imported: Path) -> None:
    store = RunStore()
    with Lock(store.root / "queue.lock"):  # nobody trains it
        store.create(TrainConfig(str(imported / "dark" / ".."), name="Waiting"))
        with pytest.raises(DataError, match="The run Waiting needs"):
            delete_dataset(imported, store)
    assert imported.is_dir()


def test_a_neighbour_whose_name_begins_alike_is_another(imported: Path) -> None:
    store = RunStore()
    with Lock(store.root / "queue.lock"):
        store.create(TrainConfig(f"{imported} 2"))
        delete_dataset(imported, store)
    assert not imported.exists()


def test_two_tabs_delete_the_same(imported: Path, workspace: Path) -> None:
    delete_dataset(imported, RunStore())
    with pytest.raises(DataError, match="no folder Imported"):
        delete_dataset(imported, RunStore())
    assert len(trash.discarded(workspace)) == 1


def test_pixels_alone(class_folders: Path, workspace: Path) -> None:
    store = RunStore()
    with pytest.raises(DataError, match="no decoded pixels"):
        delete_prepared(class_folders, store)
    places = [prepare_all(class_folders, size) for size in (16, 24)]
    other = prepare_all(draw_class_folders(class_folders.parent / "easy 2"))
    item_id = delete_prepared(class_folders, store)
    assert not any(place.exists() for place in places) and other.is_dir()
    assert len(paths_in(class_folders)) == 24
    trash.restore(workspace, item_id)
    assert prepared_folders(class_folders) == sorted(places)


def test_pixels_that_were_made_anew_stay(class_folders: Path, workspace: Path) -> None:
    place = prepare_all(class_folders)
    item_id = delete_prepared(class_folders, RunStore())
    assert prepare_all(class_folders) == place
    (place / "newer").touch()
    with pytest.raises(DataError, match="exists again"):
        trash.restore(workspace, item_id)
    assert (place / "newer").exists()


def test_not_while_they_are_decoded(class_folders: Path) -> None:
    place = prepare_all(class_folders)
    with Lock(place / "lock"), pytest.raises(DataError, match="are being decoded"):
        delete_prepared(class_folders, RunStore())
    assert place.is_dir()


def test_runs_know_that_it_is_in_the_trash(imported: Path, workspace: Path) -> None:
    store = RunStore()
    write_finished_run(imported, "A run")
    use = dataset_trash.dataset_use(imported, store)
    assert [e.title for e in use.ended] == ["A run"] and not use.active
    assert dataset_trash.trashed_dataset(str(imported), store) is None
    item_id = delete_dataset(imported, store)
    for path in (str(imported), str(imported / "inner")):
        item = dataset_trash.trashed_dataset(path, store)
        assert item is not None and item.id == item_id
    for path in ("", str(imported) + "2", str(workspace / "datasets")):
        assert dataset_trash.trashed_dataset(path, store) is None
    trash.remove(workspace, item_id)
    assert dataset_trash.trashed_dataset(str(imported), store) is None


def test_a_deleted_sample_is_not_drawn_again_by_a_server(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = draw_class_folders(workspace / "datasets" / synthetic.SAMPLE_NAME)
    delete_dataset(sample, RunStore())
    synthetic.draw_sample_unless_deleted()
    assert not sample.exists()
    monkeypatch.setattr(synthetic, "write_phantoms", lambda folder: None)
    trash.empty(workspace)
    synthetic.draw_sample_unless_deleted()
    assert sample.is_dir()
