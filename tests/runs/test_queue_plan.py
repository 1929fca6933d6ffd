"""Expected starts add up, on as many devices as there are; memory is estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medmodel.batch import jobs
from medmodel.core import devices
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.devices import Device
from medmodel.core.settings.network_names import MODEL_NAMES
from medmodel.runs import memory, queue, run_index
from medmodel.runs.memory import memory_needed
from medmodel.runs.progress.time_plan import batch_plan, time_plan
from medmodel.runs.queue_plan import WaitingRun, queue_plan
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.finished_run import write_finished_run

COMPACT = config_for("compact", "/data")


@pytest.fixture(autouse=True)
def nobody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)


def plan(**more: int) -> list[WaitingRun]:
    store = RunStore()
    return queue_plan(store, run_index.entries(store), lambda config: 100, **more)


def test_starts_add_up() -> None:
    for seed in range(3):
        queue.submit(replace(COMPACT, seed=seed), RunStore())
    one = time_plan(COMPACT, 100, RunStore().root).whole
    assert [w.seconds for w in plan()] == pytest.approx([0, one, 2 * one])
    assert [w.seconds for w in plan(busy=2)] == pytest.approx([0, 0, one])
    queue.move(plan()[2].entry.run)
    assert [w.entry.config.seed for w in plan()] == [2, 0, 1]


def test_who_works_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    working = RunStore().create(COMPACT)
    queue.submit(COMPACT, RunStore())
    with working.lock:
        status = replace(working.status, state=RunStatus.RUNNING, seconds_left=40.0)
        working.write_status(status)
        assert [w.seconds for w in plan()] == [40.0]
        working.write_status(replace(status, seconds_left=None))
        assert [w.seconds for w in plan()] == [None]


def test_every_network_has_its_memory() -> None:
    assert set(memory._ACTIVATIONS) == set(memory._PARAMETERS) == set(MODEL_NAMES)


def test_memory_grows_with_batch_size_and_half_precision_saves() -> None:
    config = replace(COMPACT, precision="float32", size=128, batch_size=32)
    usual = memory_needed(config)
    # 601 bytes a pixel and half as much again for gradients; 16 for each weight.
    expected = 1e9 + 16 * 900_000 + 32 * 128**2 * 601 * 1.5
    assert usual == pytest.approx(expected, rel=1e-6)
    assert memory_needed(replace(config, batch_size=64)) > usual
    assert memory_needed(replace(config, size=256)) > usual
    # A batch only asks the model.
    assert memory_needed(config, trains=False) == 1_600_000_000
    assert memory_needed(replace(config, precision="mixed_float16")) < usual
    assert memory_needed(TrainConfig("/data")) < 2e9


def test_features_of_two_networks_take_more_memory() -> None:
    one = TrainConfig("/data")
    two = replace(one, model="efficientnet_lite0_lite2")
    base = memory_needed(one)
    # Half precision, and twice in full: 10 bytes of each number of each image.
    assert memory_needed(one, images=100_000) - base == 100_000 * 6_144 * 10
    assert memory_needed(two, images=100_000) - base == 100_000 * 13_584 * 10
    assert memory_needed(two, on_gpu=True, images=10) == memory_needed(two, True)
    assert memory_needed(two, trains=False, images=10) == base


def test_the_estimate_knows_how_many_features_there_are() -> None:
    from medmodel.networks import features

    assert dict(features.COUNTS) == memory._FEATURES


def test_a_data_set_that_is_too_large_for_the_features_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "total_memory", lambda device: 8_000_000_000)
    queue.submit(TrainConfig("/data", model="efficientnet_lite0_lite2"), RunStore())
    store = RunStore()

    def has(images: int) -> Callable[[Entry], int]:
        return lambda entry: images

    for images, fits in ((1_000, True), (100_000, False)):
        entries = run_index.entries(store)
        (line,) = queue_plan(store, entries, has(images))
        assert line.fits is fits


def test_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "total_memory", lambda device: 1 << 30)
    queue.submit(COMPACT, RunStore())
    assert not plan()[0].fits
    monkeypatch.setattr(devices, "total_memory", lambda device: 0)
    assert plan()[0].fits


def test_memory_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.total_memory(Device("cpu", "p")) > 1 << 28
    monkeypatch.setattr(devices, "_nvidia_smi", lambda *a: "GPU-a, 200\nx\n")
    assert devices.total_memory(Device("gpu:0", "g", "GPU-a")) == 200 << 20
    assert devices.total_memory(Device("gpu:1", "g", "GPU-b")) == 0


def test_batches_have_their_place(class_folders: Path) -> None:
    model = write_finished_run(class_folders, "good")
    store, training = RunStore(), replace(COMPACT, name="training")
    batch = jobs.submit(model, class_folders)
    queue.submit(training, store)
    everything = [*run_index.entries(store), *run_index.active_batches(store)]
    first, second = queue_plan(store, everything, lambda entry: 100)
    assert (first.entry.run.id, first.seconds) == (batch.id, 0)
    asked = batch_plan(batch.config, 100, store.root).whole
    assert second.seconds == pytest.approx(asked)
    assert batch_plan(batch.config, 20_000, store.root).whole > 5 * asked
    assert first.needed == memory_needed(batch.config, trains=False)
    with batch.lock:
        status = replace(batch.status, state=RunStatus.RUNNING, seconds_left=70.0)
        batch.write_status(status)
        (waiting,) = queue_plan(
            store,
            [*run_index.entries(store), *run_index.active_batches(store)],
            lambda entry: 100,
        )
        assert waiting.seconds == 70.0
        assert run_index.runs_before(waiting.entry.run, store) == 1
    # Killed, it waits for nobody and holds up nobody.
    assert not run_index.active_batches(store)
    assert run_index.runs_before(waiting.entry.run, store) == 0


def test_a_damaged_batch_hides_no_other(class_folders: Path) -> None:
    model = write_finished_run(class_folders, "good")
    damaged, whole = (jobs.submit(model, class_folders) for _n in range(2))
    (damaged.folder / "status.json").write_text("{")
    (entry,) = run_index.active_batches(RunStore())
    assert entry.run.id == whole.id
