"""The driver: proposes, watches, prunes, goes on after a restart; no training here."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medmodel.cluster.head import Node
from medmodel.cluster.records import ClusterState, write_cluster_state
from medmodel.core import devices
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.devices import Device
from medmodel.core.errors import RunError
from medmodel.core.processes import background
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import append_epoch
from medmodel.runs.tables.split import SPLIT_COLUMNS, write_split
from medmodel.sweeps import study as studies
from medmodel.sweeps import sweep as sweeps
from medmodel.sweeps.driver import Driver, drive
from medmodel.sweeps.results import (
    best_trial,
    equally_good,
    other_data,
    pareto_front,
)
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import Sweep, Trial, start_sweep

BASE = config_for("compact", "/data", epochs=5)
RATES = Dimension((), 1e-4, 1e-1, True)


@pytest.fixture(autouse=True)
def nobody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)


def begun(trials: int = 3, prune: bool = True, **space: Dimension) -> Sweep:
    varied = space or {"learning_rate": RATES}
    return start_sweep(SweepConfig(BASE, varied, trials, prune))


def epoch(run: Run, number: int, loss: float) -> None:
    row: dict[str, Any] = {"attempt": 1, "epoch": number, "val_loss": loss}
    append_epoch(run, {**row, "val_accuracy": 1 - loss / 10})


def finish(run: Run, loss: float | None, seconds: float = 10.0) -> None:
    if loss is not None:
        epoch(run, 1, loss)
    now = time.time()
    status = replace(run.status, state=RunStatus.DONE, started=now - seconds, ended=now)
    run.write_status(status)


def waiting() -> list[Run]:
    return [run for run, _status in queue.waiting(RunStore())]


def ids() -> list[str]:
    return [run.id for run in waiting()]


def test_one_trial_after_the_other() -> None:
    sweep = begun()
    driver = Driver(sweep, RunStore())
    for number, loss in enumerate((0.5, 0.2, 0.9)):
        assert driver.step()
        (run,) = waiting()
        assert run.title == f"Sweep on data, trial {number + 1}"
        assert 1e-4 <= run.config.learning_rate <= 1e-1
        assert driver.step() and ids() == [run.id]
        finish(run, loss)
    assert not driver.step() and not waiting()
    trials = sweep.results.trials
    assert [t.val_loss for t in trials] == [0.5, 0.2, 0.9]
    assert len({t.values["learning_rate"] for t in trials}) == 3
    assert best_trial(trials) == trials[1] and trials[1].val_accuracy == 0.98


def test_a_trial_on_several_findings_is_compared_by_its_loss() -> None:
    sweep = begun(trials=1)
    driver = Driver(sweep, RunStore())
    driver.step()
    (run,) = waiting()
    findings = replace(run.config, multi_label=True, class_weights=False)
    run.write_config(findings)
    for number, loss in enumerate((0.4, 0.3), start=1):
        row = {"attempt": 1, "epoch": number, "val_loss": loss, "val_auc": 0.9}
        append_epoch(run, row)
    finish(run, None)
    driver.step()
    (trial,) = sweep.results.trials
    assert (trial.val_loss, trial.val_accuracy) == (0.3, None)
    assert best_trial([trial]) == trial


def test_a_trial_for_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = [Device("gpu:0", "a", "u0"), Device("gpu:1", "b", "u1")]
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    driver = Driver(begun(trials=3), RunStore())
    driver.step()
    assert len(waiting()) == 2


def test_lists_are_tried_once_each() -> None:
    sizes = Dimension((64, 96))
    sweep = begun(trials=10, size=sizes)
    driver = Driver(sweep, RunStore())
    while driver.step():
        for run in waiting():
            finish(run, 0.5)
    assert sorted(t.values["size"] for t in sweep.results.trials) == [64, 96]


def test_it_goes_on_after_its_process_was_killed() -> None:
    sweep = begun(trials=2)
    Driver(sweep, RunStore()).step()
    (run,) = waiting()
    again = Driver(sweep, RunStore())
    assert again.step() and ids() == [run.id]
    finish(run, 0.4)
    again.step()
    assert len(sweep.results.trials) == 2
    assert sweep.results.trials[0].state == "done"


def test_a_hopeless_trial_is_ended_early(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = begun(trials=5)
    driver = Driver(sweep, RunStore())
    for _number in range(3):
        driver.step()
        (run,) = waiting()
        status = replace(run.status, state=RunStatus.RUNNING)
        with run.lock:
            run.write_status(status)
            for number in (1, 2, 3):
                epoch(run, number, 0.1)
            driver.step()
        assert not run.stop_requested
        finish(run, None)
    driver.step()
    (bad,) = waiting()
    with bad.lock:
        bad.write_status(replace(bad.status, state=RunStatus.RUNNING))
        for number in (1, 2, 3):
            epoch(bad, number, 3.0)
        driver.step()
        assert bad.stop_requested
        driver.step()
    bad.write_status(replace(bad.status, state=RunStatus.STOPPED))
    driver.step()
    assert sweep.results.trials[3].state == "pruned"


def images(run: Run, digest: str) -> None:
    row = ["a.png", "normal", "", "val", digest]
    write_split(run, pd.DataFrame([row], columns=SPLIT_COLUMNS))


@pytest.mark.parametrize("changed", [False, True])
def test_a_trial_is_ended_only_for_losses_on_the_same_images(changed: bool) -> None:
    driver = Driver(begun(trials=5), RunStore())
    for _number in range(3):
        driver.step()
        (run,) = waiting()
        images(run, "before")
        status = replace(run.status, state=RunStatus.RUNNING)
        with run.lock:
            run.write_status(status)
            for number in (1, 2, 3):
                epoch(run, number, 0.1)
            driver.step()
        finish(run, None)
    driver.step()
    (later,) = waiting()
    images(later, "after" if changed else "before")
    with later.lock:
        later.write_status(replace(later.status, state=RunStatus.RUNNING))
        for number in (1, 2, 3):
            epoch(later, number, 3.0)
        driver.step()
        assert later.stop_requested is not changed


def test_importance_is_of_trials_on_the_same_images() -> None:
    sizes, batches = (64, 96, 128), (8, 16, 32)
    sweep = begun(9, size=Dimension(sizes), batch_size=Dimension(batches))
    driver = Driver(sweep, RunStore())
    for number in range(9):
        driver.step()
        (run,) = waiting()
        early = number < 4
        images(run, "before" if early else "after")
        # Only before the images were changed the batch mattered, and by far the most.
        loss = run.config.size / 1000 + run.config.batch_size * (1 if early else 1e-6)
        finish(run, loss)
    driver.step()
    assert sweep.results.importance["size"] > 0.5


def test_failed_and_deleted_trials_do_not_end_it() -> None:
    sweep = begun(trials=3)
    driver = Driver(sweep, RunStore())
    driver.step()
    (run,) = waiting()
    run.write_status(replace(run.status, state=RunStatus.FAILED))
    driver.step()
    (second,) = waiting()
    queue.delete(second, RunStore())
    driver.step()
    (third,) = waiting()
    finish(third, 0.3)
    assert not driver.step()
    states = [t.state for t in sweep.results.trials]
    assert states == ["failed", "deleted", "done"]


def test_ending_stops_what_waits_and_proposes_nothing() -> None:
    sweep = begun(trials=5)
    driver = Driver(sweep, RunStore())
    driver.step()
    sweeps.end_sweep(sweep)
    assert not waiting() and not driver.step()
    assert [t.state for t in sweep.results.trials] == ["stopped"]


def test_importance_of_two_settings() -> None:
    sweep = begun(
        trials=9, size=Dimension((64, 96, 128)), batch_size=Dimension((8, 16, 32))
    )
    driver = Driver(sweep, RunStore())
    while driver.step():
        for run in waiting():
            finish(run, run.config.size / 100 + run.config.batch_size / 1e4)
    shares = sweep.results.importance
    assert shares["size"] > 0.9 and sum(shares.values()) == pytest.approx(1, abs=0.01)


def test_drive_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medmodel.sweeps.driver.LOOK_SECONDS", 0.0)

    def train(store: RunStore) -> None:
        for run in waiting():
            finish(run, 0.3)

    monkeypatch.setattr(queue, "ensure_worker", train)
    sweep = begun(trials=2)
    drive(sweep, RunStore())
    assert [t.state for t in sweep.results.trials] == ["done", "done"]


def test_what_a_restart_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        background.BackgroundTask, "start", lambda self: started.append(self.folder)
    )
    sweep = begun()
    started.clear()
    for phase, starts in (("running", 1), ("finished", 0), ("failed", 0)):
        sweep.task.write(phase)
        sweeps.keep_going()
        assert len(started) == starts
        started.clear()


def test_only_known_sweeps_are_opened(tmp_path: Path) -> None:
    sweep = begun()
    assert sweeps.get_sweep(sweep.id) == sweep and sweeps.list_sweeps() == [sweep]
    for name in ("../x", "20260101-000000-000000", ""):
        with pytest.raises(RunError):
            sweeps.get_sweep(name)


def trial(
    number: int, seconds: float, loss: float | None, state: str = "done"
) -> Trial:
    return Trial(number, {}, f"r{number}", state, loss, None, seconds)


def test_the_front_of_quality_against_time() -> None:
    trials = [
        trial(0, 10, 0.5),
        trial(1, 20, 0.6),
        trial(2, 30, 0.3),
        trial(3, 5, None, "failed"),
        trial(4, 1, 0.1, "running"),
        trial(5, 40, float("nan")),
        trial(6, 30, 0.4),
    ]
    assert [t.number for t in pareto_front(trials)] == [0, 2]
    assert best_trial(trials[:4]) == trials[2]
    assert best_trial([trials[3]]) is None
    tied = replace(trials[0], val_loss=trials[2].val_loss)
    assert equally_good([tied, *trials[1:4]]) == 2
    assert equally_good(trials[:4]) == 1 and equally_good([trials[3]]) == 0


def test_a_combination_that_never_became_a_run_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweep = begun(trials=5, size=Dimension((64, 96)))
    driver = Driver(sweep, RunStore())
    with monkeypatch.context() as patch:
        patch.setattr(queue, "submit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            driver.step()
    driver = Driver(sweep, RunStore())
    while driver.step():
        for run in waiting():
            finish(run, 0.5)
    assert sorted(t.values["size"] for t in sweep.results.trials) == [64, 96]


def test_a_trial_for_every_place_of_a_cluster_and_one_ahead_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDMODEL_RAY", "http://head:8265")
    driver = Driver(begun(trials=5), RunStore())
    nodes = [Node("1", "a", 4, 0), Node("2", "b", 4, 0)]
    write_cluster_state(RunStore(), ClusterState(nodes, "", 1.0))
    driver.step()
    # Two that have room, and one ahead for each of them.
    assert len(waiting()) == 4


def test_trials_have_numbers_without_gaps() -> None:
    rates = Dimension(tuple(number / 1000 for number in range(1, 8)))
    sweep = begun(trials=6, learning_rate=rates)
    driver = Driver(sweep, RunStore())
    titles = []
    while driver.step():
        for run in waiting():
            titles.append(run.title)
            finish(run, run.config.learning_rate)
    assert [t.number for t in sweep.results.trials] == list(range(6))
    assert [title.split()[-1] for title in titles] == list("123456")
    # As many proposals of what was tried already were passed over.
    assert len(driver.study.get_trials()) > 6
    assert len({t.values["learning_rate"] for t in sweep.results.trials}) == 6


def test_a_damaged_list_of_trials_is_written_anew() -> None:
    sweep = begun(trials=2)
    Driver(sweep, RunStore()).step()
    before = sweep.results
    (sweep.folder / "trials.json").write_text("{")
    driver = Driver(sweep, RunStore())
    driver.step()
    assert sweep.results.trials[0].run == before.trials[0].run
    assert len(sweep.results.trials) == 1


def test_ended_while_a_trial_is_put_into_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweep = begun(trials=5)
    driver = Driver(sweep, RunStore())
    submit = queue.submit

    def ended_meanwhile(config: TrainConfig, store: RunStore) -> Run:
        run = submit(config, store)
        sweeps.end_sweep(sweep)
        return run

    monkeypatch.setattr(queue, "submit", ended_meanwhile)
    assert driver.step() and waiting()
    while driver.step():
        pass
    assert not waiting()
    assert [t.state for t in sweep.results.trials] == ["stopped"]


def test_a_trial_that_was_ended_early_stays_so_after_a_restart() -> None:
    sweep = begun(trials=1)
    driver = Driver(sweep, RunStore())
    driver.step()
    (run,) = waiting()
    (frozen,) = driver.study.get_trials()
    studies.live(driver.study, frozen).set_user_attr(studies.HOPELESS, True)
    epoch(run, 1, 3.0)
    run.write_status(replace(run.status, state=RunStatus.STOPPED))
    Driver(sweep, RunStore()).step()
    assert [t.state for t in sweep.results.trials] == ["pruned"]


def test_a_clock_that_was_put_back_gives_no_negative_time() -> None:
    sweep = begun(trials=1)
    driver = Driver(sweep, RunStore())
    driver.step()
    (run,) = waiting()
    finish(run, 0.3, seconds=-3600)
    driver.step()
    assert sweep.results.trials[0].seconds == 0


def test_losses_on_other_images_are_not_compared() -> None:
    first, second, third = (trial(number, 10, 0.5 - number / 10) for number in range(3))
    before = replace(third, split="old")
    now = [replace(first, split="new"), replace(second, split="new"), before]
    assert best_trial(now) == now[1] and pareto_front(now) == [now[1]]
    assert other_data(now).endswith("are not compared: 3.")
    # Of earlier versions, and not scored, they say nothing of the data.
    assert best_trial([first, second, before]) == before
    assert other_data([first, second, before]) == ""
    unscored = replace(before, val_loss=None)
    assert other_data([*now[:2], unscored]) == ""
    # Equally many: what is true of the data now.
    assert best_trial([before, now[0]]) == now[0]


def test_a_trial_says_on_which_split_it_was_trained() -> None:
    sweep = begun(trials=1)
    driver = Driver(sweep, RunStore())
    driver.step()
    (run,) = waiting()
    row = ["a.png", "normal", "", "val", "0"]
    write_split(run, pd.DataFrame([row], columns=SPLIT_COLUMNS))
    finish(run, 0.3)
    driver.step()
    assert len(sweep.results.trials[0].split) == 16
