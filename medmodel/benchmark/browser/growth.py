"""Row `growth`: what takes longer with ten times as many images, and what does not."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.data import generate
from medmodel.benchmark.servers import Server, browser, serving, temporary_workspace
from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.prepared import Prepared, prepare
from medmodel.data.splits import assign_splits
from medmodel.networks import features
from medmodel.quality import indexing
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training.context import TrainingContext
from medmodel.training.softmax_head import HeadTrainer

COUNTS = tuple(
    int(count)
    for count in os.environ.get("MEDMODEL_GROWTH", "1000,10000,100000").split(",")
)
MILLION = 1_000_000
SIZE = 28
GOAL = 1.15
"""Power of the number of images with which the time of a phase may grow."""
_FLAT, _LINEAR = 0.3, 0.7
_EPOCHS = 3


def growth() -> list[Measurement]:
    """Check, preparing, features, an epoch of Instant and pages, of small images."""
    seconds: dict[str, list[float]] = {}
    with temporary_workspace() as workspace:
        folders = [generated(workspace, count) for count in COUNTS]
        features.warm(Preprocessing(SIZE))
        for folder in folders:
            for phase, taken in phases(folder).items():
                seconds.setdefault(phase, []).append(taken)
        with serving(workspace) as server, browser() as chromium:
            page = chromium.new_page()
            _open(page, server, folders[0])  # what is loaded once does not count
            seconds["page"] = [_open(page, server, folder) for folder in folders]
    powers = {phase: power(COUNTS, taken) for phase, taken in seconds.items()}
    worst = max(powers, key=powers.__getitem__)
    note = "; ".join(said(phase, COUNTS, taken) for phase, taken in seconds.items())
    return [at_most("growth", powers[worst], GOAL, "power", f"{worst}; {note}")]


def generated(workspace: Path, count: int) -> Path:
    """A folder of so many drawn images of 28 pixels, all different."""
    folder = workspace / "datasets" / f"{count} images"
    generate(folder, count)
    return folder


def phases(folder: Path) -> dict[str, float]:
    """Seconds that each phase takes on a data set which nobody looked at before."""
    seconds = {}

    def timed(phase: str, work: Any) -> Any:
        began = time.perf_counter()
        result = work()
        seconds[phase] = time.perf_counter() - began
        return result

    timed("check", lambda: indexing.check_folder(folder))
    index = index_dataset(folder)
    config = TrainConfig(str(folder))
    table = assign_splits(index, config)
    preprocessing = Preprocessing(SIZE)
    prepared = timed("prepare", lambda: prepare(folder, table, preprocessing))
    found = timed("features", lambda: features.extract(prepared, preprocessing))
    seconds["epoch"] = _epoch(index, config, prepared, found)
    return seconds


def _epoch(
    index: Index, config: TrainConfig, prepared: Prepared, found: np.ndarray
) -> float:
    """Seconds of one of a few epochs, the first pass over all features not counted."""
    run = RunStore().create(config)
    classes = sorted(set(index.readable["label"]))
    with StatusWriter(run) as reporter:
        preprocessing = Preprocessing(SIZE)
        context = TrainingContext(
            run, config, reporter, classes, preprocessing, prepared
        )
        trainer = HeadTrainer(context)
        rows = np.arange(len(found))
        trainer.add_features(rows, found[rows])
        ends: list[float] = []
        trainer.train_epochs(_EPOCHS, lambda *_: ends.append(time.perf_counter()))
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _open(page: Any, server: Server, folder: Path) -> float:
    """Seconds until the page of a checked data set is there."""
    began = time.perf_counter()
    page.goto(f"{server.url}/datasets?dataset={folder}")
    page.locator("h1").first.wait_for(timeout=120_000)
    page.wait_for_selector(
        "[data-testid='stApp'][data-test-script-state='notRunning']", timeout=120_000
    )
    return time.perf_counter() - began


def power(counts: Sequence[int], seconds: Sequence[float]) -> float:
    """With which power of the number of images time grows between the two largest."""
    return math.log(seconds[-1] / seconds[-2]) / math.log(counts[-1] / counts[-2])


def said(phase: str, counts: Sequence[int], seconds: Sequence[float]) -> str:
    """Seconds of a phase in words, with how they grow and what a million would take."""
    grows = power(counts, seconds)
    kind = "flat" if grows < _FLAT else "linear" if grows >= _LINEAR else "between"
    slope = (seconds[-1] - seconds[-2]) / (counts[-1] - counts[-2])
    million = seconds[-1] + max(slope, 0.0) * (MILLION - counts[-1])
    each = ", ".join(f"{x:.3g}" for x in seconds)
    return (
        f"{phase} {each} s ({kind}, {grows:.2f}; a million computed: {million:,.0f} s)"
    )
