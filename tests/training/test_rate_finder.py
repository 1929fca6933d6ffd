"""Learning rates that are tried: the curve, the rate suggested, nothing kept."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel import worker
from medmodel.core.config import config_for
from medmodel.core.errors import Cancelled, ConfigError
from medmodel.runs import claims, queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.rate_tests.curve import (
    FEWEST,
    RATES,
    STEPS,
    RateTest,
    smoothed,
    suggested_rate,
)
from medmodel.runs.rate_tests.job import (
    KEPT_SECONDS,
    rate_test_store,
    read_rate_test,
    submit,
)
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import rate_finder


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)


def asked(folder: Path, **changes: Any) -> Run:
    small = {"size": 28, "batch_size": 8, "precision": "float32"}
    return submit(config_for("document", str(folder), **small | changes))


def test_rates_rise_by_the_same_factor() -> None:
    assert len(RATES) == STEPS
    assert (RATES[0], RATES[-1]) == pytest.approx((1e-6, 1.0))
    assert np.ptp(np.diff(np.log(RATES))) == pytest.approx(0, abs=1e-9)


def test_smoothing_has_no_bias_at_the_beginning() -> None:
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 2.0])[1] == pytest.approx((0.09 + 0.2) / 0.19)


def test_the_rate_of_the_steepest_fall_is_suggested() -> None:
    steps = np.arange(STEPS)
    # Falls around step 50, explodes from step 80 on.
    losses = 2 - 1 / (1 + np.exp(-(steps - 50) / 3)) + np.exp((steps - 85) / 4)
    suggested = suggested_rate(losses.tolist())
    assert suggested is not None
    # Smoothing looks back: it finds the fall a few steps late.
    assert RATES[48] <= suggested <= RATES[60]


@pytest.mark.parametrize(
    "losses",
    [
        [1.0] * (FEWEST - 1),
        [1.0] * 50,
        np.linspace(1, 0.985, 50).tolist(),
        np.linspace(1, 5, 50).tolist(),
        [],
    ],
)
def test_none_is_suggested_where_the_loss_does_not_fall(losses: list[float]) -> None:
    assert suggested_rate(losses) is None


def test_enough_losses_that_fall() -> None:
    assert suggested_rate(np.linspace(2, 1, FEWEST).tolist()) is not None


def test_a_test_is_a_job_of_the_queue(class_folders: Path) -> None:
    test = asked(class_folders)
    assert [run.id for run, _status in queue.waiting(RunStore())] == [test.id]
    assert RunStore().list() == []
    claim = claims.claim_run(test)
    assert claim is not None
    with StatusWriter(test) as reporter:
        assert worker._work(test, reporter) is RunStatus.DONE
    for lock in (claim.lock, *claim.device_locks):
        lock.release()
    known = read_rate_test(test)
    assert known is not None and FEWEST < len(known.losses) <= STEPS
    assert known.rates == pytest.approx(RATES[: len(known.losses)])
    assert all(np.isfinite(known.losses))
    assert known.suggested == suggested_rate(known.losses)
    assert not test.model_path.exists()


def test_a_rate_that_is_too_high_ends_the_test(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Smoothed 1, 3.1 and 9.4: a single easy or hard step ends nothing.
    told = iter([0.1, *[1.0] * 19, 20.0, 60.0, 1.0])

    class Model:
        class optimizer:
            learning_rate = 0.0

        def reset_metrics(self) -> None:
            pass

        def train_on_batch(self, *_: object, **__: object) -> float:
            return next(told)

    assert len(losses_of(class_folders, Model())) == 22
    told = iter([1.0] * 20 + [float("nan")])
    assert losses_of(class_folders, Model()) == [1.0] * 20


def losses_of(folder: Path, model: Any) -> list[float]:
    test = asked(folder)
    with StatusWriter(test) as reporter:
        context, _size = rate_finder.prepare_context(test, reporter)
        return rate_finder._losses(context, model)


def test_it_can_be_stopped(class_folders: Path) -> None:
    test = asked(class_folders)
    test.request_stop()
    with StatusWriter(test) as reporter, pytest.raises(Cancelled):
        rate_finder.find_rate(test, reporter)


def test_the_last_layer_alone_has_no_learning_rate(class_folders: Path) -> None:
    with pytest.raises(ConfigError, match="no learning rate is needed"):
        submit(config_for("instant", str(class_folders)))
    assert rate_test_store().list() == []


def test_old_tests_are_taken_away(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = asked(class_folders), asked(class_folders)
    for test, age in ((first, KEPT_SECONDS + 9), (second, KEPT_SECONDS - 99)):
        with StatusWriter(test) as reporter:
            ended = time.time() - age
            reporter.close(state=RunStatus.DONE, ended=ended)
    asked(class_folders)
    ids = {test.id for test in rate_test_store().list()}
    assert first.id not in ids and second.id in ids and len(ids) == 2


def test_old_tests_whose_worker_was_killed_are_taken_away(class_folders: Path) -> None:
    first, second, waits = (asked(class_folders) for _number in range(3))
    for test, age in ((first, KEPT_SECONDS + 9), (second, KEPT_SECONDS - 99)):
        running = replace(test.status, state=RunStatus.RUNNING)
        test.write_status(replace(running, heartbeat=time.time() - age))
    waits.write_status(replace(waits.status, created=1.0))
    assert first.status.state is RunStatus.INTERRUPTED
    asked(class_folders)
    ids = {test.id for test in rate_test_store().list()}
    assert first.id not in ids and {second.id, waits.id} < ids


def test_a_damaged_file_tells_nothing(class_folders: Path) -> None:
    test = asked(class_folders)
    assert read_rate_test(test) is None
    (test.folder / "rates.json").write_text("{")
    assert read_rate_test(test) is None
    assert RateTest([], []).suggested is None
