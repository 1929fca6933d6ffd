"""A finished run on two findings as plain files: made-up probabilities, no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from medmodel.runs.tables.findings import (
    IMAGE_COLUMNS,
    read_findings,
    truth_and_score,
    write_findings,
)
from medmodel.runs.tables.split import write_split
from tests.findings_folder import FINDINGS
from tests.finished_run import create_ended


def write_findings_run(
    folder: Path, name: str = "", seed: int = 0, sharpness: float = 0.5
) -> Run:
    """Writes everything that Evaluate, Compare and Diagnose read.

    Args:
        folder: As from `draw_findings_folder`; half of its images are for validation.
        name: What the run is called.
        seed: Of the scores.
        sharpness: How much higher the score of an image with a finding is.
    """
    lines = (folder / "findings.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    config = config_for("compact", str(folder), size=40, multi_label=True, name=name)
    run = create_ended(config)
    samples = pd.DataFrame(
        [[f, p, ("val", "test")[n // 8 % 2]] for n, (f, p, *_rest) in enumerate(rows)],
        columns=list(IMAGE_COLUMNS),
    )
    truth = np.array([[b == "1", s == "1"] for _f, _p, b, s in rows])
    random = np.random.default_rng(seed)
    scores = truth * sharpness + random.random(truth.shape) * (1.1 - sharpness)
    scores = np.clip(scores, 0.001, 0.999)
    write_findings(run, list(FINDINGS), samples, (truth, scores))
    write_split(run, samples.assign(label="bright"))
    run.write_model_facts(ModelFacts(list(FINDINGS), Preprocessing(40), ["x"], 9))
    run.model_path.write_bytes(b"")
    return run


def write_findings_folds(folder: Path) -> list[Run]:
    """A cross-validation of two folds, in which every image is a test image once."""
    runs = []
    for number in (1, 2):
        run = write_findings_run(folder, "fold", seed=number)
        table = read_findings(run)
        if number == 2:
            table["split"] = table["split"].map({"val": "test", "test": "val"})
        pairs = [truth_and_score(table, name) for name in FINDINGS]
        truth, scores = (np.stack(each, axis=1) for each in zip(*pairs, strict=True))
        write_findings(run, FINDINGS, table, (truth, scores))
        run.write_config(replace(run.config, folds=2, fold=number))
        runs.append(run)
    return runs
