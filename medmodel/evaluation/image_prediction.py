"""One model's answer to one image: probabilities of classes, or a segmentation."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    apply_temperature,
)
from medmodel.evaluation.decision.predicted_class import (
    decision_sentence,
    highest_classes,
    predicted_positions,
)
from medmodel.evaluation.ood.results import OodResult
from medmodel.runs.status import DecisionThreshold


@dataclass(frozen=True)
class Prediction:
    """What one model says of one image.

    Args:
        classes: (num_classes,) names, in the order of the model's outputs.
        raw: float32 (num_classes,), probabilities as the model gives them. Thresholds
            and conformal sets are made of these.
        temperature: With which the model is calibrated; None if it is not.
        ood: How the image stands to the training images; None if that was not asked,
            or the run has no reference.
        heatmap: float32 (height, width) in [0, 1] of the class that was asked for;
            None if none was.
        ood_problem: Why it could not be compared with the training images, where a
            file is damaged; else "".
        calibration_problem: Why the model's temperature cannot be used, where its file
            is damaged; else "".
        threshold: Which of two classes is predicted; None where the highest score
            decides.
    """

    classes: list[str]
    raw: NDArray[np.float32]
    temperature: Temperature | None = None
    ood: OodResult | None = None
    heatmap: NDArray[np.float32] | None = None
    ood_problem: str = ""
    calibration_problem: str = ""
    threshold: DecisionThreshold | None = None

    @functools.cached_property
    def predicted(self) -> int:
        """Position of the predicted class."""
        raw = self.raw[None]
        return int(predicted_positions(raw, self.classes, self.threshold)[0])

    @property
    def tied(self) -> list[str]:
        """Classes whose probabilities are highest and equal; none where one is."""
        if self.threshold is not None:
            return []
        names = highest_classes(self.classes, self.calibrated)
        return names if len(names) > 1 else []

    @property
    def decision(self) -> str:
        """How the predicted class follows from `calibrated`, as a sentence, or ""."""
        return decision_sentence(self.classes, self.threshold, self.temperature)

    @functools.cached_property
    def calibrated(self) -> NDArray[np.float32]:
        """(num_classes,) after temperature scaling; `raw` without a temperature."""
        if self.temperature is None:
            return self.raw
        scaled = apply_temperature(self.raw[None], self.temperature.value)
        return scaled[0].astype(np.float32)


@dataclass(frozen=True)
class Segmentation:
    """What one model says of every pixel of one image.

    Args:
        scores: float32 (side, side, classes) of the square that the model sees, which
            sum to 1 in every pixel.
        ood: As in `Prediction`.
        ood_problem: See there.
    """

    scores: NDArray[np.float32]
    ood: OodResult | None = None
    ood_problem: str = ""
