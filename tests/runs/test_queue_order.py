"""The order of the queue: who was moved is trained first; it survives a restart."""

from __future__ import annotations

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.runs import claims, queue, run_index
from medmodel.runs.run import RATE_TESTS, Run
from medmodel.runs.run_store import RunStore


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Three that wait, oldest first."""
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    return [queue.submit(TrainConfig("/data", seed=n), RunStore()) for n in range(3)]


def order() -> list[str]:
    return [run.id for run, _status in queue.waiting(RunStore())]


def test_oldest_first_until_somebody_moves_one(runs: list[Run]) -> None:
    first, second, third = (run.id for run in runs)
    assert order() == [first, second, third]
    queue.move(runs[2])
    assert order() == [third, first, second]
    queue.move(runs[2], 1)
    assert order() == [first, third, second]
    queue.move(runs[1], -1)
    assert order() == [first, second, third]
    for places, at in ((-9, 0), (9, 2)):
        queue.move(runs[1], places)
        assert order().index(second) == at


def test_a_rate_test_keeps_its_place_while_others_pass_it(runs: list[Run]) -> None:
    test = RunStore(place=RATE_TESTS).create(TrainConfig("/data"))
    first, second, third = (run.id for run in runs)
    test.folder.rename(between := test.folder.with_name(f"{first}x"))
    assert order() == [first, between.name, second, third]
    queue.move(runs[1], -1)  # one press on Up, one place in the list that is shown
    assert order() == [second, between.name, first, third]


def test_what_comes_later_waits_behind(runs: list[Run]) -> None:
    queue.move(runs[2])
    later = queue.submit(TrainConfig("/data"), RunStore())
    assert order() == [runs[2].id, runs[0].id, runs[1].id, later.id]
    before = [run_index.runs_before(run, RunStore()) for run in [*runs, later]]
    assert before == [1, 2, 0, 3]


def test_the_first_of_the_order_is_trained_next(runs: list[Run]) -> None:
    queue.move(runs[1])
    claim = claims.claim_next(RunStore())
    assert claim is not None and claim.run.id == runs[1].id
    assert run_index.runs_before(runs[0], RunStore()) == 1
    with pytest.raises(RunError, match="does not wait"):
        queue.move(runs[1])
    claim.lock.release()
    for lock in claim.device_locks:
        lock.release()


def test_a_damaged_order_is_none(runs: list[Run]) -> None:
    (RunStore().root / queue.ORDER).write_text("{broken")
    assert order() == [run.id for run in runs]
    queue.move(runs[2])
    assert order()[0] == runs[2].id
