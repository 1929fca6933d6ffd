"""A run on disk: made whole, told apart, judged by its lock alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, FileError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import Augmentation
from medmodel.core.storage import read_as, read_json, write_json
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, ModelFacts, RunStatus, Status


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


def test_config_survives_the_disk(store: RunStore) -> None:
    config = TrainConfig(
        dataset="/data",
        training="scratch",
        model="compact_resnet",
        size=96,
        augmentation=Augmentation(shift=0.1, flip_horizontal=True),
    )
    assert store.create(config).config == config


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
