"""A finished run as plain files: drawn images and made-up scores, no model."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.core.config import TrainConfig
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.decision.predicted_class import predicted_positions
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import DecisionThreshold, ModelFacts, RunStatus, Status
from medmodel.runs.tables.curves import append_epoch
from medmodel.runs.tables.predictions import (
    SAMPLE_COLUMNS,
    read_predictions,
    score_array,
    write_predictions,
)
from medmodel.runs.tables.split import write_split


def create_ended(config: TrainConfig) -> Run:
    """A new run that was never in the queue: a worker of a server would take it."""
    store = RunStore()
    with Lock(store.root / "queue.lock"):
        run = store.create(config)
        run.write_status(Status(RunStatus.DONE, phase="finished"))
    return run


def write_finished_run(
    dataset: Path, name: str, sharpness: float = 1.5, seed: int = 0, patients: int = 0
) -> Run:
    """Writes everything that Evaluate and Compare read.

    Args:
        dataset: Class folders with drawn images; every third one is for validation.
        name: What the run is called.
        sharpness: How much better than chance the scores are.
        seed: Of the scores.
        patients: How many patients there are; 0 for unknown.
    """
    rng = np.random.default_rng(seed)
    classes = sorted(folder.name for folder in dataset.iterdir())
    files = sorted(dataset.glob("*/*"))
    run = create_ended(TrainConfig(str(dataset), name=name, seed=seed))
    truth = np.array([classes.index(file.parent.name) for file in files])
    logits = rng.normal(size=(len(files), len(classes)))
    logits += sharpness * np.eye(len(classes))[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = [
        (
            str(file.relative_to(dataset)),
            f"p{at % patients}" if patients else "",
            "val" if at % 3 == 0 else "test",
            file.parent.name,
        )
        for at, file in enumerate(files)
    ]
    samples = pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
    write_predictions(run, classes, samples, scores)
    write_split(run, samples)
    for epoch in range(1, 6):
        loss = 1 / (epoch + seed + sharpness)
        numbers = {"val_loss": loss, "val_accuracy": 1 - loss}
        append_epoch(run, {"attempt": 1, "epoch": epoch, **numbers})
    run.write_model_facts(ModelFacts(classes, Preprocessing(size=32), [], 1000))
    run.model_path.touch()
    now = time.time()
    ended = Status(RunStatus.DONE, phase="finished", created=now, started=now)
    run.write_status(ended)
    return run


def decide_by_threshold(run: Run, name: str, value: float) -> None:
    """Gives a finished run of two classes a decision threshold, as training does."""
    facts, table = run.model_facts, read_predictions(run)
    classes, threshold = facts.class_names, DecisionThreshold(name, value)
    run.write_model_facts(replace(facts, threshold=threshold))
    scores = score_array(table, classes)
    positions = predicted_positions(scores, classes, threshold)
    names = [classes[position] for position in positions]
    write_predictions(run, classes, table, scores, names)
