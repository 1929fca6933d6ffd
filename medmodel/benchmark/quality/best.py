"""Rows on "Best in … minutes": what ten minutes of two cores reach on public images.

Time is the processor time that the candidates take, divided by two cores: other
programs on the machine then change nothing. Every choice is made on validation images.
"""

from __future__ import annotations

import contextlib
import math
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple
from unittest import mock

import numpy as np
import psutil
from sklearn.metrics import roc_auc_score

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import config_for
from medmodel.core.errors import DataError, RunError
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs import claims, queue
from medmodel.runs.progress import time_plan
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.progress.time_left import TimeLeft
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions, score_array
from medmodel.sweeps.best import BestDriver
from medmodel.sweeps.driver import LOOK_SECONDS
from medmodel.sweeps.results import best_trial
from medmodel.sweeps.search_space import best_sweep
from medmodel.sweeps.sweep import Sweep, Trial, make_sweep
from medmodel.training import train
from medmodel.training.ensembles import assembly

MINUTES, CORES = 10, 2
SEEDS = (0, 1, 2)


def pneumonia() -> list[Measurement]:
    """PneumoniaMNIST in its own splits; seeds differ in initial weights alone."""
    areas, accuracies, note = _measured("pneumoniamnist28")
    name = "quality_best_pneumonia"
    return [
        at_least(name, areas, 0.978, "test AUC", note),
        at_least(name, accuracies, 0.915, "test accuracy", note),
    ]


def chest() -> list[Measurement]:
    """Chest X-rays in their own test split, validation images drawn by patient."""
    area, _accuracy, note = _measured("chest_xray")
    return [at_least("quality_best_chest", area, 0.97, "test AUC", note)]


def blood() -> list[Measurement]:
    """Blood cells; every seed draws other test images."""
    _area, accuracy, note = _measured("blood_cells")
    return [at_least("quality_best_blood", accuracy, 0.94, "test accuracy", note)]


def _measured(name: str) -> tuple[float, float, str]:
    """Median test AUC and accuracy of the winners of all seeds, and how they came."""
    found = [best_of(name, seed) for seed in SEEDS]
    area = statistics.median(each.area for each in found)
    accuracy = statistics.median(each.accuracy for each in found)
    return area, accuracy, "; ".join(each.note for each in found)


class Best(NamedTuple):
    """What the winner of one seed says of the test images, and how it came."""

    area: float
    accuracy: float
    note: str


def best_of(name: str, seed: int) -> Best:
    """Spends the time on one data set with one seed.

    Args:
        name: Folder of the data set.
        seed: Of splits and initial weights.

    Raises:
        DataError: The data set is not there.
    """
    folder = bench_data(name)
    with with_data_root(folder), temporary_workspace():
        pattern = guess_patient_pattern(index_dataset(folder).table["path"])
        base = config_for("instant", str(folder), patient_pattern=pattern, seed=seed)
        sweep = make_sweep(best_sweep(base, MINUTES))
        minutes = _drive(sweep)
        trials = sweep.results.trials
        winner = best_trial(trials)
        if winner is None:
            raise DataError(f"No candidate on {name} has a model.")
        tried = [_Tried.read(trial) for trial in trials]
    area, accuracy = next((t.area, t.accuracy) for t in tried if t.trial == winner)
    note = (
        f"seed {seed}: {winner.values['candidate']}, AUC {area:.3f}, accuracy "
        f"{accuracy:.3f}, {minutes:.1f} min; of {', '.join(map(str, tried))}"
    )
    return Best(area, accuracy, note)


class _Tried(NamedTuple):
    """A candidate; its test scores are told, and chose nothing."""

    trial: Trial
    area: float
    accuracy: float

    @classmethod
    def read(cls, trial: Trial) -> _Tried:
        if trial.val_loss is None:
            return cls(trial, math.nan, math.nan)
        return cls(trial, *_scores(RunStore().get(trial.run)))

    def __str__(self) -> str:
        trial = self.trial
        loss = math.nan if trial.val_loss is None else trial.val_loss
        return (
            f"{trial.values['candidate']} ({trial.state}, validation log loss "
            f"{loss:.3f}, test {self.area:.3f} and {self.accuracy:.3f}, "
            f"{trial.seconds:.0f} s from start to end)"
        )


def _drive(sweep: Sweep) -> float:
    """Trains what the driver asks for, in this process; minutes of two cores."""
    store, began = RunStore(), processor_seconds()

    def spent() -> float:
        return (processor_seconds() - began) / CORES

    driver = BestDriver(sweep, store, lambda: sweep.config.created + spent())
    plan = partial(TimeLeft, clock=spent)
    with (
        mock.patch.object(queue, "start_worker", lambda store: None),
        # What earlier candidates took, by which later ones are started, is told by
        # the same clock.
        mock.patch.object(time_plan, "TimeLeft", plan),
    ):
        while driver.step():
            for run, _status in list(queue.waiting(store)):
                with _watched(driver):
                    _train(run)
    return spent() / 60


@contextlib.contextmanager
def _watched(driver: BestDriver) -> Iterator[None]:
    """Lets the driver stop what would run over, as its own process does."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            driver.step()

    thread = threading.Thread(target=watch, name="driver")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _train(run: Run) -> None:
    work: Callable[..., RunStatus] = assembly.assemble if run.ensemble else train.train
    claim = claims.claim_run(run)
    if claim is None:
        raise RunError("The device is busy.")
    with StatusWriter(run) as reporter:
        state = work(run, reporter)
        reporter.close(state=state, ended=time.time())
    for lock in (claim.lock, *claim.device_locks):
        lock.release()


def processor_seconds() -> float:
    """Of this process and of its children, those that still live included."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    total = sum(each.ru_utime + each.ru_stime for each in used)
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += sum(child.cpu_times()[:4])
    return total


def _scores(run: Run) -> tuple[float, float]:
    """Mean area under the classes' ROC curves and accuracy of the test images.

    The predicted class is that of the decision threshold where one was chosen.
    """
    table = read_predictions(run)
    table = table[table["split"] == "test"]
    classes = run.model_facts.class_names
    scores = score_array(table, classes)
    truth = table["label"].map(classes.index).to_numpy()
    areas = [roc_auc_score(truth == k, scores[:, k]) for k in range(len(classes))]
    predicted = split_predictions(table, "test").predicted
    return float(np.mean(areas)), float((predicted == truth).mean())
