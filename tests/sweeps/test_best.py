"""Best in … minutes: what is started, what is stopped, which members are chosen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.config_problems import check_config
from medmodel.core.errors import ConfigError, DataError, RunError
from medmodel.core.processes import background
from medmodel.core.storage import write_json
from medmodel.ensembles import members
from medmodel.evaluation.predictions import Predictions
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import (
    read_predictions,
    score_columns,
    write_predictions,
)
from medmodel.runs.tables.split import read_split, write_split
from medmodel.sweeps import best
from medmodel.sweeps.best import (
    BestDriver,
    best_members,
    gain_in_errors,
    log_loss,
    validation_scores,
)
from medmodel.sweeps.candidates import CANDIDATES, ENSEMBLE_OF_BEST, candidate_config
from medmodel.sweeps.results import best_trial, compared, other_data, why_it_won
from medmodel.sweeps.search_space import best_sweep
from medmodel.sweeps.sweep import Sweep, Trial, Trials, start_sweep, stop_trials
from tests.conftest import draw_class_folders
from tests.findings_folder import draw_findings_folder
from tests.finished_run import write_finished_run


class World:
    """A sweep of ten minutes whose clock stands still, and runs that end when asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 60.0
        self.sweep: Sweep = start_sweep(
            best_sweep(config_for("instant", str(folder)), 10)
        )
        self.now = self.sweep.config.created
        self.driver = self.restarted()

    def restarted(self) -> BestDriver:
        driver = BestDriver(self.sweep, RunStore(), lambda: self.now)
        driver._seconds = lambda config: (  # type: ignore[method-assign]
            10.0 if config.recipe == "ensemble" else self.seconds
        )
        return driver

    def waiting(self) -> list[Run]:
        return [run for run, _status in queue.waiting(RunStore())]

    def finish(self, seed: int, sharpness: float = 1.5) -> None:
        """Ends the run that waits with predictions and a model."""
        (run,) = self.waiting()
        other = write_finished_run(self.folder, "x", sharpness, seed)
        for name in ("predictions.csv", "split.csv", "checksums.json", "model.json"):
            (other.folder / name).rename(run.folder / name)
        run.model_path.touch()
        status = replace(run.status, state=RunStatus.DONE, started=time.time())
        run.write_status(replace(status, ended=time.time() + 1))
        RunStore().delete(other)

    def keys(self) -> list[str]:
        return [str(t.values["candidate"]) for t in self.sweep.results.trials]


@pytest.fixture
def all_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best, "best_members", list)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    yield World(draw_class_folders(tmp_path / "set", images_per_class=30))


@pytest.mark.usefixtures("all_help")
def test_what_fits_into_the_time_is_tried_in_turn(world: World) -> None:
    for seed, key in enumerate(("instant", "together", "compact")):
        assert world.driver.step() and world.keys()[-1] == key
        assert world.driver.step() and len(world.waiting()) == 1
        world.finish(seed)
    # What is left would take longer than the time that is left.
    world.now += 535
    assert world.driver.step() and world.keys()[-1] == ENSEMBLE_OF_BEST
    (made,) = world.waiting()
    assert made.ensemble and len(made.ensemble.members) >= 2
    assert made.title == "Best in 10 minutes on set, ensemble"
    world.finish(9)
    assert not world.driver.step()
    trials = world.sweep.results.trials
    assert trials[0].gain_in_errors is None
    for trial in trials[1:]:
        lower = (trials[0].val_loss or 0) - (trial.val_loss or 9)
        assert trial.gain_in_errors and trial.gain_in_errors * lower > 0
    winner = best_trial(trials)
    better = [t for t in trials[1:] if (t.gain_in_errors or 0) > 1]
    assert winner in (better or trials[:1])


def test_what_replaces_the_baseline_is_better_than_it_by_more_than_chance() -> None:
    truth = np.array([0, 0, 1, 1])

    def gaining(*gains: float, patients: list[int] | None = None) -> Predictions:
        """Each image's log loss is lower by this than that of a toss of a coin."""
        of_truth = 0.5 * np.exp(np.array(gains))
        first = np.where(truth == 0, of_truth, 1 - of_truth)
        known = None if patients is None else np.array(patients)
        return Predictions(["a", "b"], truth, np.stack([first, 1 - first], 1), known)

    base = gaining(0, 0, 0, 0)
    # Mean 0.2, each 0.1 from it: 0.1 / sqrt(4) of standard error.
    assert gain_in_errors(gaining(0.1, 0.3, 0.1, 0.3), base) == pytest.approx(4)
    assert gain_in_errors(base, gaining(0.1, 0.3, 0.1, 0.3)) == pytest.approx(-4)
    # Of two patients: sums 0.05 from their mean, twice, with one degree of freedom.
    paired = gaining(0.1, 0.1, 0.3, 0.3, patients=[5, 5, 7, 7])
    assert gain_in_errors(paired, base) == pytest.approx(0.2 / 0.1)
    # One patient says nothing, nor do other images, nor the same answers.
    assert gain_in_errors(gaining(0.1, 0.2, 0.3, 0.3, patients=[5] * 4), base) == 0
    others = replace(base, truth=np.array([1, 0, 1, 1]))
    assert gain_in_errors(gaining(0.1, 0.3, 0.1, 0.3), others) == 0
    assert gain_in_errors(base, base) == 0


@pytest.mark.parametrize(
    ("gains", "winner"),
    [
        ((None, 1.0, 0.4), 0),  # lower, but within chance
        ((None, 1.1, 0.4), 1),  # the lowest does not count: 0.4 may be chance
        ((None, 1.1, 1.1), 2),
        ((None, None, None), 2),  # nothing was compared, as in other sweeps
        # Begun by an earlier version, or the baseline was deleted: nor were all.
        ((None, None, 0.4), 2),
        ((None, 1.1, None), 2),
    ],
)
def test_the_winner_is_the_lowest_beyond_chance(
    gains: tuple[float | None, ...], winner: int
) -> None:
    trials = [
        Trial(at, {}, "run", "done", 0.3 - at / 10, gain_in_errors=gain)
        for at, gain in enumerate(gains)
    ]
    assert best_trial(trials) == trials[winner]
    assert compared(trials) is (None not in gains[1:])


def test_why_it_won_holds_beside_others_and_close_to_one() -> None:
    trials = [
        Trial(at, {}, "run", "done", 0.3 - at / 10, gain_in_errors=gain)
        for at, gain in enumerate((None, 1.5, 1.04))
    ]
    said = why_it_won(trials[2])
    # With less than one the second would have won, not Instant.
    assert "by 1.04 standard errors" in said and "Instant would" not in said


def test_an_ended_sweep_stops_what_was_started_meanwhile(world: World) -> None:
    world.driver.step()
    (run,) = world.waiting()
    (world.sweep.folder / "end").touch()
    assert world.driver.step() and not world.waiting()
    assert not world.driver.step() and world.keys() == ["instant"]
    assert run.status.state is RunStatus.STOPPED


def test_a_trial_that_was_lost_after_it_was_asked_to_stop_waits_no_more(
    world: World,
) -> None:
    world.driver.step()
    (run,) = world.waiting()
    run.request_stop()  # its node was lost then, and the cluster put it back
    stop_trials(world.sweep.results.trials, RunStore())
    assert not world.waiting() and run.status.state is RunStatus.STOPPED


def test_after_a_restart_the_baseline_is_read_again(world: World) -> None:
    world.driver.step()
    world.finish(0)
    world.driver.step()
    world.finish(1)
    expected = world.driver.look()[1].gain_in_errors
    assert expected is not None
    path = world.sweep.folder / "trials.json"
    (first, second) = world.sweep.results.trials
    unseen = replace(second, val_loss=None, gain_in_errors=None)
    write_json(path, Trials([first, unseen]))
    assert world.restarted().look()[1].gain_in_errors == expected
    # A baseline that somebody deleted cannot be compared with.
    write_json(path, Trials([first, unseen]))
    RunStore().delete(RunStore().get(first.run))
    assert world.restarted().look()[1].gain_in_errors is None


def replace_images(run: Run) -> None:
    """As if its data set had held other pixels under the same names."""
    write_split(run, read_split(run).assign(digest="other"))


@pytest.mark.usefixtures("all_help")
def test_images_that_were_replaced_under_their_names_are_not_compared(
    world: World,
) -> None:
    for seed in range(3):
        world.driver.step()
        world.finish(seed)
        if seed == 0:
            first = RunStore().get(world.sweep.results.trials[0].run)
            replace_images(first)
    trials = [*world.driver.look()]
    assert trials[0].split and trials[0].split != trials[1].split == trials[2].split
    assert [trial.gain_in_errors for trial in trials] == [None] * 3
    assert best_trial(trials) in trials[1:] and other_data(trials).endswith(": 1.")
    world.now += 580
    world.driver.step()
    (made,) = world.waiting()
    assert made.ensemble and [*made.ensemble.members] == [t.run for t in trials[1:]]


@pytest.mark.usefixtures("all_help")
def test_as_many_epochs_are_planned_as_fit(world: World) -> None:
    def seconds(config: TrainConfig) -> float:
        if config.recipe == "ensemble":
            return 10.0
        return 60.0 if config.training == "frozen" else 5 + 40.0 * config.epochs

    world.driver._seconds = seconds  # type: ignore[method-assign]
    for seed in range(2):
        world.driver.step()
        world.finish(seed)
    world.driver.step()
    (run,) = world.waiting()
    # Of 590 s, 5 for the start; the learning rate falls to its end within them.
    assert world.keys()[-1] == "compact" and run.config.epochs == 14
    world.finish(2)
    # Fewer than half of its epochs are not worth a start.
    world.now += 400
    world.driver.step()
    assert world.keys()[-1] == "together_224"
    world.finish(3)
    world.driver.step()
    assert world.keys()[-1] == ENSEMBLE_OF_BEST


def test_the_time_of_an_ensemble_is_planned_by_its_members(world: World) -> None:
    assert world.driver._ensemble.size == 224
    world.driver.step()
    (run,) = world.waiting()
    world.finish(0)
    world.driver.step()
    planned, images = world.driver._ensemble, world.driver._images
    assert planned.size == run.model_facts.preprocessing.size != 224
    held_out = len(read_predictions(run))
    assert planned.val_fraction * images == pytest.approx(held_out)
    assert planned.test_fraction == 0


def test_the_size_that_validation_chose_is_planned_for_the_others(world: World) -> None:
    config = candidate_config(world.driver.config.base, "together")
    driver = BestDriver(world.sweep, RunStore(), lambda: world.now)
    before = driver._seconds(config)
    driver.step()
    (run,) = world.waiting()
    world.finish(0)
    facts = run.model_facts
    size = replace(facts.preprocessing, size=320)
    run.write_model_facts(replace(facts, preprocessing=size))
    driver.look()
    assert driver._seconds(config) == driver._seconds(replace(config, size=320))
    assert driver._seconds(config) > before


def test_the_baseline_is_tried_however_short_the_time(world: World) -> None:
    world.seconds = 10_000
    assert world.driver.step() and world.keys() == ["instant"]
    world.finish(0)
    assert not world.driver.step() and world.keys() == ["instant"]


def test_instant_at_its_own_size_is_not_tried_twice(world: World) -> None:
    world.driver.step()
    (run,) = world.waiting()
    world.finish(0)
    facts = run.model_facts
    size = replace(facts.preprocessing, size=224)
    run.write_model_facts(replace(facts, preprocessing=size))
    for seed in (1, 2):
        world.driver.step()
        world.finish(seed)
    world.driver.step()
    assert world.keys() == ["instant", "together", "compact", "compact_2"]


def test_the_baseline_is_trained_whatever_it_takes(world: World) -> None:
    world.driver.step()
    world.now += 10 * 60 + 1
    assert world.driver.step()
    assert len(world.waiting()) == 1 and not world.waiting()[0].stop_requested
    world.finish(0)
    assert not world.driver.step()
    assert world.keys() == ["instant"]
    assert "time that was left was too short" in world.sweep.results.no_ensemble


def test_what_would_run_over_is_stopped_in_time(world: World) -> None:
    world.driver.step()
    world.finish(0)
    world.driver.step()
    (run,) = world.waiting()
    with run.lock:
        run.write_status(replace(run.status, state=RunStatus.RUNNING))
        world.now += 10 * 60 - 21
        assert world.driver.step() and not run.stop_requested
        world.now += 2
        assert world.driver.step() and run.stop_requested


def test_a_quarter_of_the_time_is_reserved_at_most(world: World) -> None:
    world.driver.step()
    world.finish(0)
    world.driver.step()
    world.driver._seconds = lambda config: 10_000.0  # type: ignore[method-assign]
    (run,) = world.waiting()
    with run.lock:
        run.write_status(replace(run.status, state=RunStatus.RUNNING))
        world.now += 449
        assert world.driver.step() and not run.stop_requested
        world.now += 2
        assert world.driver.step() and run.stop_requested


@pytest.mark.usefixtures("all_help")
def test_an_ensemble_at_work_is_not_stopped(world: World) -> None:
    for seed in range(2):
        world.driver.step()
        world.finish(seed)
    world.now += 570
    world.driver.step()
    assert world.keys()[-1] == ENSEMBLE_OF_BEST
    world.now += 60
    assert world.driver.step() and len(world.waiting()) == 1


def test_why_there_is_no_ensemble_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Run:
        raise RunError("Run x was deleted.")

    world.driver.step()
    world.finish(0)
    world.now += 580
    monkeypatch.setattr(members, "submit", refused)
    reasons = []
    for seconds, chosen in ((0, list), (0, lambda known: [*known] * 2), (11, list)):
        monkeypatch.setattr(best, "best_members", chosen)
        world.now += seconds
        assert not world.restarted().step()
        reasons.append(world.sweep.results.no_ensemble)
    assert "no other model lowers" in reasons[0] and "more than 0.001" in reasons[0]
    assert reasons[1] == "No ensemble was made: Run x was deleted."
    assert "time that was left was too short" in reasons[2]


def test_a_killed_process_goes_on_with_what_is_there(world: World) -> None:
    world.driver.step()
    again = world.restarted()
    assert again.step() and world.keys() == ["instant"]
    world.finish(0)
    again.step()
    assert world.keys() == ["instant", "together"]


def test_a_baseline_that_failed_ends_it(world: World) -> None:
    world.driver.step()
    (run,) = world.waiting()
    run.write_status(replace(run.status, state=RunStatus.FAILED))
    assert not world.driver.step() and world.keys() == ["instant"]


def test_a_candidate_that_failed_or_was_deleted_is_passed_over(world: World) -> None:
    world.driver.step()
    world.finish(0)
    world.driver.step()
    (run,) = world.waiting()
    run.write_status(replace(run.status, state=RunStatus.FAILED))
    world.driver.step()
    assert world.keys()[-1] == "compact"
    (run,) = world.waiting()
    run.write_status(replace(run.status, state=RunStatus.STOPPED))
    RunStore().delete(run)
    world.driver.step()
    assert [t.state for t in world.sweep.results.trials][1:3] == ["failed", "deleted"]


def test_ended_on_request(world: World) -> None:
    world.driver.step()
    world.finish(0)
    (world.sweep.folder / "end").touch()
    assert not world.driver.step()


def test_members_are_added_while_they_help() -> None:
    truth = np.array([0, 0, 1, 1])

    def scores(*of_first: float) -> Predictions:
        first = np.array(of_first)
        return Predictions(["a", "b"], truth, np.stack([first, 1 - first], 1), None)

    # Each errs on another image: the mean of both errs on none.
    one, other = scores(0.9, 0.3, 0.1, 0.1), scores(0.3, 0.9, 0.1, 0.1)
    poor = scores(0.1, 0.1, 0.9, 0.9)
    assert best_members({"poor": poor, "one": one, "other": other}) == ["one", "other"]
    assert best_members({"one": one, "same": one}) == ["one"]
    assert best_members({"poor": poor}) == ["poor"]
    # Their arithmetic mean would lose to the sure one's.
    even, first, second = (
        scores(0.78, 0.78, 0.22, 0.22),
        scores(0.95, 0.6, 0.05, 0.4),
        scores(0.6, 0.95, 0.4, 0.05),
    )
    three = {"even": even, "first": first, "second": second}
    assert best_members(three) == ["even", "first", "second"]
    assert best_members({}) == []
    assert log_loss(one) == pytest.approx(-np.log([0.9, 0.3, 0.9, 0.9]).mean())


def test_scores_are_calibrated_before_they_are_compared(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "set", images_per_class=30)
    run = write_finished_run(folder, "a")
    before = validation_scores(run)
    table = read_predictions(run)
    names = score_columns(run.model_facts.class_names)
    sure = table[names].to_numpy() ** 3
    sure /= sure.sum(axis=1, keepdims=True)
    write_predictions(run, run.model_facts.class_names, table, sure)
    after = validation_scores(run)
    assert before and after
    assert log_loss(after) == pytest.approx(log_loss(before), abs=1e-3)
    run.predictions_path.unlink()
    assert validation_scores(run) is None


def test_several_findings_are_refused_before_anything_is_trained(
    world: World, tmp_path: Path
) -> None:
    folder = draw_findings_folder(tmp_path / "findings")
    sweep = start_sweep(best_sweep(config_for("instant", str(folder)), 10))
    with pytest.raises(DataError, match="several findings on one image"):
        BestDriver(sweep, RunStore())
    assert not world.waiting()


@pytest.mark.parametrize("key", CANDIDATES)
def test_candidates_share_data_and_split(key: str) -> None:
    base = config_for("instant", "/data", seed=3, window="lung", patient_pattern="(p)")
    config = candidate_config(base, key)
    check_config(config)
    assert (config.seed, config.window, config.patient_pattern) == (3, "lung", "(p)")
    assert config.recipe == CANDIDATES[key].recipe
    # As many epochs are planned as fit, down to the end of the learning rate.
    assert config.patience == 0


@pytest.mark.parametrize(("minutes", "allowed"), [(0, False), (1, True), (1441, False)])
def test_a_time_that_can_be_given(minutes: int, allowed: bool) -> None:
    config = best_sweep(config_for("instant", "/data"), minutes)
    if allowed:
        config.check()
    else:
        with pytest.raises(ConfigError, match="between 1 and 1,440 minutes"):
            config.check()
