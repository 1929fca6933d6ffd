"""The trash: what is deleted comes back whole, once, within seven days."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.runs import trash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "file").write_text("content")
    return folder


def age(workspace: Path, item_id: str, seconds: float) -> None:
    path = workspace / "trash" / item_id / "item.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "deleted": time.time() - seconds}))


def test_deleted_and_restored(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "A *run*")
    assert not folder.exists()
    (item,) = trash.discarded(tmp_path)
    assert (item.kind, item.title, item.place) == ("run", "A *run*", "runs/one")
    assert item.days_left == 7
    assert trash.restore(tmp_path, item_id) == folder
    assert (folder / "file").read_text() == "content"
    assert trash.discarded(tmp_path) == []
    assert list((tmp_path / "trash").iterdir()) == []


def test_after_seven_days_it_is_gone(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    age(tmp_path, item_id, trash.KEPT_SECONDS - 60)
    trash.remove_expired(tmp_path)
    assert trash.discarded(tmp_path)[0].days_left == 1
    age(tmp_path, item_id, trash.KEPT_SECONDS + 60)
    assert trash.discarded(tmp_path) == []
    with pytest.raises(DataError, match="not in the trash"):
        trash.restore(tmp_path, item_id)
    trash.remove_expired(tmp_path)
    assert list((tmp_path / "trash").iterdir()) == []


def test_the_latest_comes_first(tmp_path: Path, folder: Path) -> None:
    first = trash.discard(tmp_path, folder, "run", "first")
    folder.mkdir()
    second = trash.discard(tmp_path, folder, "run", "second")
    age(tmp_path, first, 60)
    assert [item.id for item in trash.discarded(tmp_path)] == [second, first]


def test_two_tabs_delete_the_same(tmp_path: Path, folder: Path) -> None:
    trash.discard(tmp_path, folder, "run", "run")
    with pytest.raises(FileNotFoundError):
        trash.discard(tmp_path, folder, "run", "run")
    assert len(trash.discarded(tmp_path)) == 1
    assert len(list((tmp_path / "trash").iterdir())) == 1


def test_two_tabs_restore_the_same_at_once(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    start, outcomes = threading.Barrier(4), []

    def restore() -> None:
        start.wait()
        try:
            trash.restore(tmp_path, item_id)
            outcomes.append("restored")
        except DataError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=restore) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("restored") == 1
    assert (folder / "file").read_text() == "content"


def test_nothing_is_written_over(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    folder.mkdir()
    (folder / "file").write_text("newer")
    with pytest.raises(DataError, match="exists again"):
        trash.restore(tmp_path, item_id)
    assert (folder / "file").read_text() == "newer"
    assert len(trash.discarded(tmp_path)) == 1


def test_a_place_outside_is_refused(tmp_path: Path, folder: Path) -> None:
    workspace = tmp_path / "runs"
    item_id = trash.discard(workspace, folder, "run", "run")
    path = workspace / "trash" / item_id / "item.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "place": "../out"}))
    with pytest.raises(DataError, match="outside the workspace"):
        trash.restore(workspace, item_id)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_described_is_not_offered(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    (tmp_path / "trash" / item_id / "item.json").write_text("{")
    assert trash.discarded(tmp_path) == []
    trash.remove_expired(tmp_path)  # it may still be looked into by hand
    assert (tmp_path / "trash" / item_id / "content" / "file").exists()


def test_removed_for_good(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    trash.remove(tmp_path, "another")
    assert len(trash.discarded(tmp_path)) == 1
    trash.remove(tmp_path, item_id)
    assert list((tmp_path / "trash").iterdir()) == []
    folder.mkdir()
    trash.discard(tmp_path, folder, "run", "run")
    trash.empty(tmp_path)
    assert list((tmp_path / "trash").iterdir()) == []


def test_what_belongs_to_it_comes_back_with_it(tmp_path: Path, folder: Path) -> None:
    beside = tmp_path / "indexes" / "key"
    beside.mkdir(parents=True)
    (beside / "file").write_text("12345")
    gone = tmp_path / "indexes" / "another"
    item_id = trash.discard(tmp_path, folder, "data set", "set", [gone, beside])
    assert not beside.exists()
    (item,) = trash.discarded(tmp_path)
    assert item.beside == ("indexes/key",)
    assert item.size == len("content") + len("12345")
    trash.restore(tmp_path, item_id)
    assert (beside / "file").read_text() == "12345"
    assert list((tmp_path / "trash").iterdir()) == []


def test_a_newer_one_of_what_belongs_to_it_stays(tmp_path: Path, folder: Path) -> None:
    beside = tmp_path / "indexes" / "key"
    beside.mkdir(parents=True)
    (beside / "file").write_text("older")
    item_id = trash.discard(tmp_path, folder, "data set", "set", [beside])
    beside.mkdir()
    (beside / "file").write_text("newer")
    trash.restore(tmp_path, item_id)
    assert (beside / "file").read_text() == "newer"
    assert (folder / "file").read_text() == "content"


def test_what_belongs_to_it_never_leads_out(tmp_path: Path, folder: Path) -> None:
    workspace = tmp_path / "runs"
    item_id = trash.discard(workspace, folder, "data set", "set")
    path = workspace / "trash" / item_id / "item.json"
    values = {**json.loads(path.read_text()), "beside": ["../out"]}
    path.write_text(json.dumps(values))
    (workspace / "trash" / item_id / "beside" / "0").mkdir()
    with pytest.raises(DataError, match="outside the workspace"):
        trash.restore(workspace, item_id)
    assert not (tmp_path / "out").exists()


def test_items_of_earlier_versions_are_restored(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    place = tmp_path / "trash" / item_id
    values = json.loads((place / "item.json").read_text())
    (place / "beside").rmdir()
    del values["size"], values["beside"]
    (place / "item.json").write_text(json.dumps(values))
    assert trash.discarded(tmp_path)[0].size == -1
    assert trash.trash_size(tmp_path) == 0
    trash.restore(tmp_path, item_id)
    assert (folder / "file").exists()


def test_a_removal_that_was_broken_off_is_ended(tmp_path: Path, folder: Path) -> None:
    item_id = trash.discard(tmp_path, folder, "run", "run")
    place = tmp_path / "trash" / item_id
    place.rename(place.with_name(f".{item_id}"))
    assert trash.discarded(tmp_path) == []
    trash.remove_expired(tmp_path)
    assert list((tmp_path / "trash").iterdir()) == []
