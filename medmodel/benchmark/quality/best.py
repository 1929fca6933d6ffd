"""Rows on "Best in … minutes": what ten minutes of two cores reach on public images.

Time is the processor time that the candidates take, divided by two cores: other
programs on the machine then change nothing. Every choice is made on validation images.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import config_for
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.evaluation.predictions import split_predictions
from medmodel.runs import queue
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.status_writer import StatusWriter
from medmodel.runs.tables.predictions import read_predictions, score_array
from medmodel.sweeps.best import BestDriver
from medmodel.sweeps.results import best_trial
from medmodel.sweeps.search_space import best_sweep
from medmodel.sweeps.sweep import Sweep, make_sweep
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
    folder = bench_data(name)
    areas, accuracies, notes = [], [], []
    with with_data_root(folder):
        for seed in SEEDS:
            with temporary_workspace():
                pattern = guess_patient_pattern(index_dataset(folder).table["path"])
                base = config_for(
                    "instant", str(folder), patient_pattern=pattern, seed=seed
                )
                sweep = make_sweep(best_sweep(base, MINUTES))
                minutes = _drive(sweep)
                trials = sweep.results.trials
                winner = best_trial(trials)
                assert winner is not None
                area, accuracy = _scores(RunStore().get(winner.run))
                areas.append(area)
                accuracies.append(accuracy)
                notes.append(
                    f"seed {seed}: {winner.values['candidate']} of {len(trials)}, "
                    f"AUC {area:.3f}, accuracy {accuracy:.3f}, {minutes:.1f} min"
                )
    return statistics.median(areas), statistics.median(accuracies), "; ".join(notes)


def _drive(sweep: Sweep) -> float:
    """Trains what the driver asks for, in this process; minutes of two cores."""
    store, began = RunStore(), _processor_seconds()

    def clock() -> float:
        spent = (_processor_seconds() - began) / CORES
        return sweep.config.created + spent

    driver = BestDriver(sweep, store, clock)
    before, queue.start_worker = queue.start_worker, lambda store: None
    try:
        while driver.step():
            for run, _status in list(queue.waiting(store)):
                _train(run)
    finally:
        queue.start_worker = before
    return (clock() - sweep.config.created) / 60


def _train(run: Run) -> None:
    work: Callable[..., RunStatus] = assembly.assemble if run.ensemble else train.train
    with StatusWriter(run) as reporter:
        state = work(run, reporter)
    run.write_status(replace(run.status, state=state))


def _processor_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(each.ru_utime + each.ru_stime for each in used)


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
