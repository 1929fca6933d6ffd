"""Runs on disk: made whole, told apart, judged by their lock alone."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, FileError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.storage import read_as, read_json, write_json
from medmodel.runs import queue, trash
from medmodel.runs.run import UNFINISHED_SECONDS, Run, RunStore
from medmodel.runs.status import Failure, ModelFacts, RunStatus, Status


@pytest.fixture
def store(workspace: Path) -> RunStore:
    return RunStore()


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(TrainConfig(dataset="/data/Chest <CT>", name="ünï"))


def test_a_new_run_waits(store: RunStore, run: Run) -> None:
    assert run.status.state is RunStatus.QUEUED
    assert run.status.attempt == 0
    assert run.config == TrainConfig(dataset="/data/Chest <CT>", name="ünï")
    assert run.title == "ünï"
    assert not run.alive
    assert store.get(run.id).folder == run.folder
    assert [r.id for r in store.list()] == [run.id]
    assert [p.name for p in store.folder.iterdir()] == [run.id]  # Nothing hidden.


def test_title_without_a_name(store: RunStore) -> None:
    run = store.create(TrainConfig(dataset="/data/Chest CT"))
    assert run.title == "Instant on Chest CT"


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


def test_config_survives_the_disk(store: RunStore) -> None:
    config = TrainConfig(
        dataset="/data",
        training="scratch",
        model="compact_resnet",
        size=96,
        augmentation=Augmentation(shift=0.1, flip_horizontal=True),
    )
    assert store.create(config).config == config


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    state=st.sampled_from(RunStatus),
    epoch=st.integers(0, 1000),
    seconds=st.none() | st.floats(0, 1e6),
    failure=st.none() | st.builds(Failure, st.text(), st.text(), st.text()),
)
def test_status_survives_its_file(
    run: Run,
    state: RunStatus,
    epoch: int,
    seconds: float | None,
    failure: Failure | None,
) -> None:
    status = Status(state=state, epoch=epoch, seconds_left=seconds, failure=failure)
    run.write_status(status)
    path = run.folder / "status.json"
    assert read_as(path, Status) == status
    write_json(path, {**read_json(path), "from_the_future": 1})
    assert read_as(path, Status) == status


def test_running_without_a_worker_is_interrupted(run: Run) -> None:
    run.write_status(Status(state=RunStatus.RUNNING, epoch=3))
    lock = run.lock
    assert lock.acquire()
    assert run.status.state is RunStatus.RUNNING
    lock.release()
    status = run.status
    assert status.state is RunStatus.INTERRUPTED
    assert status.epoch == 3
    assert status.failure is not None and status.failure.kind == "killed"
    # A judgement, not a fact on disk.
    assert read_json(run.folder / "status.json")["state"] == "running"


def test_ended_between_two_looks_is_not_interrupted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write_status(Status(state=RunStatus.RUNNING))

    def ends(self: Run) -> bool:
        self.write_status(Status(state=RunStatus.DONE))
        return False

    monkeypatch.setattr(Run, "alive", property(ends))
    assert run.status.state is RunStatus.DONE


DAMAGE = [*("", "{", "[]", "{}", "[" * 100_000), '{"state": "odd", "dataset": 5}']


@pytest.mark.parametrize("content", DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_files_are_named(run: Run, content: str) -> None:
    (run.folder / "status.json").write_text(content)
    with pytest.raises(RunError, match=r"status\.json"):
        _ = run.status
    (run.folder / "config.json").write_text(content)
    with pytest.raises(RunError, match=r"config\.json"):
        _ = run.config
    (run.folder / "status.json").unlink()
    with pytest.raises(RunError, match=r"no status\.json"):
        _ = run.status
    (run.folder / "config.json").unlink()
    with pytest.raises(RunError, match=r"no config\.json"):
        _ = run.config


def test_a_lost_status_keeps_the_time_of_the_id(run: Run) -> None:
    submitted = run.status.created
    (run.folder / "status.json").write_text("{")
    for name in ("best.keras", "model.json"):
        (run.folder / name).touch()
    assert 0 <= submitted - run.status.created < 1
    assert Run(run.folder.rename(run.folder.parent / "odd")).status.created == 0


def test_a_setting_that_is_newer_than_the_run_keeps_its_default(run: Run) -> None:
    path = run.folder / "config.json"
    values = read_json(path)
    del values["folds"]
    write_json(path, values)
    write_json(path, run.config)
    assert read_json(path)["folds"] == 1


def test_model_facts(run: Run) -> None:
    facts = ModelFacts(["<i>", "b c"], Preprocessing(64, "crop", "grey"), ["conv"], 9)
    run.write_model_facts(facts)
    with pytest.raises(RunError, match="no trained model"):
        _ = run.model_facts
    run.model_path.touch()
    assert run.model_facts == facts
    write_json(run.folder / "model.json", {"class_names": []})
    with pytest.raises(RunError, match=r"model\.json"):
        _ = run.model_facts


def test_stop(run: Run) -> None:
    assert not run.stop_requested
    run.request_stop()
    assert run.stop_requested
    run.clear_stop()
    run.clear_stop()
    assert not run.stop_requested


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


def test_settings_that_were_changed_by_hand_are_checked_before_training(
    run: Run,
) -> None:
    run.check_settings()
    path = run.folder / "config.json"
    path.write_text(path.read_text().replace('"epochs": 60', '"epochs": 0'))
    with pytest.raises(ConfigError, match=rf"config\.json of run {run.id}: “Epochs"):
        run.check_settings()
    with pytest.raises(ConfigError):
        queue.resume(run, RunStore(run.folder.parent.parent))
    path.unlink()
    with pytest.raises(RunError, match=r"no config\.json"):
        run.check_settings()


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["a", "a"]},
        {"class_names": []},
        {"class_names": "ab"},
        {"preprocessing": {"size": 0}},
        {"preprocessing": {"size": 10**9}},
        {"preprocessing": {"colour": "green"}},
    ],
)
def test_facts_of_a_model_that_cannot_be_are_named(
    run: Run, changes: dict[str, object]
) -> None:
    run.write_model_facts(ModelFacts(["a", "b"], Preprocessing(32), [], 1))
    run.model_path.touch()
    path = run.folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(RunError, match=r"model\.json (is damaged|was written by an)"):
        str(run.model_facts)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"model": 3}', '{"model": "../x"}', '{"model": ""}']
)
def test_an_external_test_that_names_no_model_is_named(run: Run, text: str) -> None:
    (run.folder / "external.json").write_text(text)
    for ask in (lambda: run.tested_model, lambda: run.class_mapping):
        with pytest.raises(FileError, match=r"external\.json is damaged"):
            ask()


@pytest.mark.parametrize("time", ["NaN", "Infinity", "1e300", "-1"])
def test_times_that_no_clock_shows_are_damage(run: Run, time: str) -> None:
    path = run.folder / "status.json"
    path.write_text(f'{{"state": "queued", "created": {time}}}')
    with pytest.raises(RunError, match=r"status\.json is damaged"):
        str(run.status)
