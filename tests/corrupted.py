"""A corruption test as if a model had made it."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.robustness.corruption_test import write_corruption_test
from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions, scored_classes


def write_corrupted(run: Run, images: int, blurred: int) -> None:
    """As if `blurred` images were predicted as another class after any blur."""
    table = read_predictions(run)
    classes = scored_classes(table)
    test = table[table["split"] == "test"].head(images)
    right = np.eye(len(classes))[[classes.index(label) for label in test["label"]]]
    wrong = right.copy()
    wrong[:blurred] = np.roll(wrong[:blurred], 1, axis=1)
    corrupted = {
        key: np.stack([wrong if key == "blur" else right] * STRENGTHS)
        for key in CORRUPTIONS
    }
    examples = dict.fromkeys(CORRUPTIONS, np.zeros((STRENGTHS, 8, 8, 1), np.uint8))
    write_corruption_test(run, test["path"].tolist(), right, corrupted, examples)
