"""Rows about numbers: do tests hold, is it instant."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.benchmark.validity.simulation import SETTINGS, Setting, simulate
from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.comparison.model_comparison import COMPARED
from medmodel.evaluation.comparison.paired_tests import (
    accuracy_difference,
    area_difference,
)
from medmodel.evaluation.decision.thresholds import at_prevalence, outcome
from medmodel.evaluation.evaluation import evaluate_predictions
from medmodel.evaluation.intervals.bootstrap import (
    draw_weights,
    percentile_interval,
    smallest_group,
)
from medmodel.evaluation.metrics.curves import (
    decision_curve,
    precision_recall_curve,
    roc_curve,
    score_histogram,
)
from medmodel.evaluation.metrics.metric_table import (
    METRICS,
    class_metrics,
    overall_metrics,
)
from medmodel.evaluation.predictions import Predictions, subset
from medmodel.reports import figures
from medmodel.runs.run_index import SETTLED_SECONDS, entries
from medmodel.runs.run_store import RunStore
from medmodel.runs.run_table import runs_table, searched
from medmodel.runs.status import RunStatus

SIMULATIONS = 2000
_COLOUR = "#0072B2"
_DRAWS = 400


def test_size(simulations: int = SIMULATIONS) -> list[Measurement]:
    """How often each test calls equal models different, and unequal ones."""
    measurements = []
    for setting in SETTINGS:
        null = rejections(setting, 0.0, simulations)
        power = rejections(setting, 0.5, max(simulations // 5, 1))
        worst = max(null, key=null.__getitem__)
        each = ", ".join(f"{k} {null[k]:.3f}/{power[k]:.2f}" for k in null)
        note = f"{setting.title}, {worst}; size/power of each: {each}"
        measurements.append(at_most("test_size", null[worst], 0.06, "share", note))
    return measurements


def rejections(
    setting: Setting, advantage: float, simulations: int, seed: int = 0
) -> dict[str, float]:
    """Share of simulated splits on which each test rejects at 5 %.

    Args:
        setting: The population.
        advantage: By how many standard deviations one model separates better.
        simulations: How many.
        seed: The same seed draws the same splits.
    """
    rng = np.random.default_rng(seed)
    rejected = dict.fromkeys(COMPARED, 0)
    separations = (setting.separation + advantage, setting.separation)
    for _ in range(simulations):
        a, b = simulate(setting, rng, separations)
        # Every metric on the same resampled splits: the rest would take hours.
        weights = draw_weights(a, _DRAWS, rng)
        for name in COMPARED:
            metric = METRICS[name]
            if name == "accuracy":
                p = accuracy_difference(a, b)[1]
            elif name == "auc":
                p = area_difference(a, b)[1]
            else:
                change = metric.weighted(a, weights) - metric.weighted(b, weights)
                p = percentile_interval(change, smallest_group(name, [a, b]))[2]
            rejected[name] += p <= 0.05
    return {name: count / simulations for name, count in rejected.items()}


def redraw() -> list[Measurement]:
    """10,000 predictions × 20 classes: what a page needs when a threshold moves."""
    rng = np.random.default_rng(0)
    truth = rng.integers(20, size=10_000)
    logits = rng.normal(size=(10_000, 20)) + 3 * np.eye(20)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = [f"class {k}" for k in range(20)]
    data = Predictions(names, truth, scores, rng.integers(3_000, size=10_000))

    benefit = decision_curve(data, 0)

    def move() -> None:
        outcomes = [outcome(data, at, 0.3) for at in range(20)]
        chosen = outcomes[0].metrics
        at_prevalence(chosen["sensitivity"], chosen["specificity"], 0.02)
        figures.benefit_figure(benefit, _COLOUR, 0.3).to_json()

    def open_class(data: Predictions = data) -> None:
        roc, precision = roc_curve(data, 0), precision_recall_curve(data, 0)
        drawn = [
            figures.roc_figure(roc, _COLOUR, 0.3),
            figures.precision_recall_figure(precision, _COLOUR, 0.05, 0.3),
            figures.histogram_figure(score_histogram(data, 0), names[0], _COLOUR, 0.3),
        ]
        for figure in drawn:
            figure.to_json()

    def open_page() -> None:
        open_class()
        reliability_diagram(data)
        overall_metrics(data)
        for position in range(20):
            class_metrics(data, position)

    kept = rng.random(10_000) < 0.9

    def show_numbers() -> None:
        some = subset(data, kept)
        evaluate_predictions(some)
        overall_metrics(some)

    moved, opened, first, some, curves = (
        _median(action)
        for action in (
            *(move, open_class, open_page, show_numbers),
            lambda: open_class(subset(data, kept)),
        )
    )
    note = (
        f"all 20 classes at a moved threshold and the decision curve {moved:.0f} ms; "
        f"another class's curves {opened:.0f} ms; with every metric of every class "
        f"{first:.0f} ms; figures included"
    )
    return [
        at_most("redraw", moved, 200, "ms", note),
        at_most(
            "redraw", opened, 200, "ms", "another class's curves, figures included"
        ),
        at_most("redraw", some, 200, "ms", "numbers of another part of the images"),
        at_most("redraw", curves, 200, "ms", "curves of another part of the images"),
    ]


def _median(action: Callable[[], None], times: int = 5) -> float:
    action()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(1000 * (time.perf_counter() - start))
    return float(np.median(seconds))


def compare_1000(count: int = 1000) -> list[Measurement]:
    """1,000 run folders: listed, searched, filtered and sorted."""
    with temporary_workspace() as workspace:
        write_runs(RunStore(workspace), count)
        never, first = (_in_a_new_server("show_runs") for _ in range(2))
        again = _median(show_runs, 3) / 1000
    note = (
        f"{count:,} runs, a new server's first look; {again:.2f} s from then on, "
        f"{never:.2f} s where no server has ever looked at them"
    )
    return [at_most("compare_1000", first, 1.0, "s", note)]


def show_runs() -> None:
    """The workspace's runs as the table of runs shows them."""
    table = runs_table(entries(RunStore()))
    rows = searched(table, "seed compact")
    rows = rows[rows["val_accuracy"] > 0.6].sort_values("val_loss")
    if len(rows) == 0:
        raise DataError("The table of runs lost its rows.")


def _in_a_new_server(function: str) -> float:
    """Seconds that a function of this module takes in a process of its own."""
    code = (
        f"import pandas, time; from {__name__} import {function}; "
        f"start = time.perf_counter(); {function}(); print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def write_runs(store: RunStore, count: int) -> None:
    """Finished runs with 20 epochs and 200 predictions each."""
    rng = np.random.default_rng(0)
    written = time.time() - 2 * SETTLED_SECONDS
    history = ["attempt,epoch,loss,accuracy,val_loss,val_accuracy"]
    lines = ["path,patient,split,label,score_a,score_b"]
    for at in range(200):
        score = float(rng.random())
        lines.append(f"a/{at}.png,,test,{'ab'[at % 2]},{score:.6f},{1 - score:.6f}")
    for number in range(count):
        recipe = ("instant", "compact")[number % 2]
        name = f"seed {number} {recipe}"
        run = store.create(config_for(recipe, "/data/x", seed=number, name=name))
        losses = rng.random(20)
        rows = [
            f"1,{e + 1},1,0.5,{x:.4f},{1 - x / 2:.4f}" for e, x in enumerate(losses)
        ]
        run.history_path.write_text("\n".join([*history, *rows, ""]))
        run.predictions_path.write_text("\n".join([*lines, ""]))
        run.write_status(replace(run.status, state=RunStatus.DONE))
        for file in run.folder.iterdir():
            os.utime(file, (written, written))
