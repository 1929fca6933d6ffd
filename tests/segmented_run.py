"""A finished segmentation as plain files; a predictor that outlines what is bright."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.image_prediction import Segmentation
from medmodel.evaluation.ood.results import OodResult, ThresholdBasis
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.runs.copies import write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from medmodel.runs.tables.curves import append_epoch
from medmodel.runs.tables.segmentation import write_segmentation
from medmodel.runs.tables.split import SPLIT_COLUMNS, write_split
from tests.finished_run import create_ended

FAMILIAR = OodResult(0.3, False, [], [], ThresholdBasis(40, 200, 240, 0.02, 0.08))
STRANGE = OodResult(1.0, True, [], [], ThresholdBasis(40, 200, 240, 0.02, 0.08))


class BrightOutliner:
    """Stands for the predictor: what is bright is a lesion.

    Args:
        ood: How every image stands to the training images.
    """

    state = "ready"

    def __init__(self, ood: OodResult | None = FAMILIAR) -> None:
        self.ood = ood

    def warm(self, run_id: str) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to end."""

    def segment(
        self, run_id: str, image: np.ndarray, compare: ImageTraits | None = None
    ) -> Segmentation:
        """As `Predictor.segment`."""
        bright = (image.max(axis=2) > 120).astype(np.float32)
        return Segmentation(np.stack([1 - bright, bright], axis=-1), self.ood)


def write_segmented_run(folder: Path, copies: int = 0, worse: float = 0.0) -> Run:
    """A run on images with masks, of which every other one is a test image.

    Args:
        folder: As from `draw_masked_folder`.
        copies: Test images that equal a training image, the first ones.
        worse: By how much its Dice is lower.
    """
    run = create_ended(config_for("segmentation", str(folder), size=40, epochs=2))
    names = sorted(path.name for path in (folder / "images").iterdir())
    rows, split = [], []
    for number, name in enumerate(names):
        part = "test" if number % 2 else "train"
        area = 150 if number % 4 else 0
        patient = f"p{number}"
        copied = part == "test" and number < 2 * copies
        digest = f"digest {number - copied}"
        split.append([f"images/{name}", "lesion", patient, part, digest])
        if part == "test":
            dice = "" if not area else f"{0.5 + number / 40 - worse:.3f}"
            rows.append(
                [f"images/{name}", patient, "test", "lesion", dice, dice]
                + [int(bool(area)), int(bool(area)), area, 140, "", 2.0, ""]
            )
    import pandas as pd

    write_segmentation(run, rows)
    write_split(run, pd.DataFrame(split, columns=list(SPLIT_COLUMNS)))
    write_near_copies(run, set())
    for epoch in (1, 2):
        numbers = {"val_loss": 1 / epoch, "val_dice": 0.3 * epoch}
        append_epoch(run, {"attempt": 1, "epoch": epoch, **numbers})
    facts = ModelFacts(["background", "lesion"], Preprocessing(40), [], 9, [0, 255])
    run.write_model_facts(facts)
    run.model_path.touch()
    return run
