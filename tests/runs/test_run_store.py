"""All runs of a workspace: made, found, listed, deleted."""

from __future__ import annotations

import errno
import os
import time

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, RunError
from medmodel.runs import trash
from medmodel.runs.run import Run
from medmodel.runs.run_store import UNFINISHED_SECONDS, RunStore
from medmodel.runs.status import Status


def test_wrong_settings_make_no_run(store: RunStore) -> None:
    with pytest.raises(ConfigError):
        store.create(TrainConfig(dataset="/data", epochs=0))
    assert store.list() == []


def test_full_disk_is_told_and_leaves_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Run, status: Status) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Run, "write_status", write)
    with pytest.raises(RunError, match="No space left on device"):
        store.create(TrainConfig(dataset="/data"))
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    "run_id", ["", "..", "../x", ".hidden", "a/b", "a" * 65, "x\n", "none", "-a"]
)
def test_ids_from_outside_are_checked(store: RunStore, run_id: str) -> None:
    # Refused by what it is, not for want of such a folder.
    there = (store.folder / run_id).resolve() if len(run_id) < 65 else store.folder
    there.mkdir(parents=True, exist_ok=True)
    if run_id != "none":
        (there / "status.json").write_text("{}")
    store.folder.mkdir(exist_ok=True)
    message = "There is no run none" if run_id == "none" else "not the id of a run"
    with pytest.raises(RunError, match=message):
        store.get(run_id)


def test_newest_first(store: RunStore) -> None:
    names = ["20250101-000000-aaaaaa", "20260101-000000-aaaaaa"]
    for name in names:
        store.create(TrainConfig(dataset="/data")).folder.rename(store.folder / name)
    (store.folder / ".deleted-x").mkdir()
    (store.folder / "empty").mkdir()
    assert [run.id for run in store.list()] == names[::-1]


def test_a_deleted_run_can_be_restored(store: RunStore, run: Run) -> None:
    title = run.title
    store.delete(run)
    (item,) = trash.discarded(store.root)
    assert (item.kind, item.title) == ("run", title)
    trash.restore(store.root, item.id)
    assert store.get(run.id).title == title


def test_a_run_whose_settings_are_damaged_can_be_deleted(
    store: RunStore, run: Run
) -> None:
    (run.folder / "config.json").write_text("{")
    store.delete(run)
    assert trash.discarded(store.root)[0].title == run.id


def test_delete(store: RunStore, run: Run) -> None:
    lock = run.lock
    assert lock.acquire()
    with pytest.raises(RunError, match="stop it first"):
        store.delete(run)
    lock.release()
    store.delete(run)
    assert list(store.folder.iterdir()) == []
    with pytest.raises(RunError, match="no run"):
        store.delete(run)
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_deletion_of_an_earlier_version_left_is_removed(
    store: RunStore, run: Run
) -> None:
    kept = store.create(TrainConfig("/data/x"))
    run.folder.rename(store.folder / f".deleted-{run.id}")
    assert len(list(store.folder.iterdir())) == 2
    store.remove_leftovers()
    assert list(store.folder.iterdir()) == [kept.folder]


def test_what_got_its_name_meanwhile_is_no_leftover(store: RunStore, run: Run) -> None:
    gone = store.folder / ".2026"
    gone.symlink_to(store.folder / "renamed by now")
    store.remove_leftovers()
    assert gone.is_symlink() and run.folder.exists()


def test_what_a_killed_creation_left_is_removed_once_it_is_old(
    store: RunStore, run: Run
) -> None:
    hidden = store.folder / f".{run.id}"
    for age, stays in (
        (UNFINISHED_SECONDS - 60, True),
        (UNFINISHED_SECONDS + 60, False),
    ):
        hidden.mkdir(exist_ok=True)
        os.utime(hidden, (time.time() - age, time.time() - age))
        store.remove_leftovers()
        assert hidden.exists() == stays
    assert run.folder.exists()


def test_runs_asked_for_at_once_keep_their_order() -> None:
    store = RunStore()
    made = []
    for _ in range(5):
        made.append(store.create(TrainConfig("/data/x")).id)
        time.sleep(0.001)
    assert [run.id for run in store.list()] == made[::-1]
