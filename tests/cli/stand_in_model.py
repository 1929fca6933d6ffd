"""Stands in for the predictor, and draws what it is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.evaluation.image_prediction import Prediction
from medmodel.evaluation.ood.results import OodResult, ThresholdBasis

BASIS = ThresholdBasis(40, 100, 140, 0.01, 0.1)
FAMILIAR = OodResult(0.5, False, [], [], BASIS)
STRANGE = OodResult(1.0, True, [], [], BASIS)


class Model:
    """Stands in for the predictor: dark images are dark."""

    def __init__(self) -> None:
        self.ood: OodResult | None = FAMILIAR
        self.temperature: Temperature | None = None
        self.asked: list[int] = []
        self.closed = 0

    def ask(
        self,
        run_id: str,
        images: np.ndarray,
        compare: list[Any],
        multi_label: bool = False,
    ) -> list[Prediction]:
        self.asked.append(len(images))
        assert images.dtype == np.uint8 and len(compare) == len(images)
        light = images.mean(axis=(1, 2, 3)) / 255
        rows = np.stack([1 - light, light], axis=1).astype(np.float32)
        classes = ["dark", "light"]
        return [Prediction(classes, row, self.temperature, self.ood) for row in rows]

    def close(self) -> None:
        self.closed += 1

    def started(self, stderr: int) -> Model:
        self.log = stderr
        return self


def image_file(path: Path, level: int) -> Path:
    Image.fromarray(np.full((40, 60), level, np.uint8)).save(path)
    return path
