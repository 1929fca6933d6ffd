"""The predicted class: by the model's decision threshold, else by the highest score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    apply_temperature,
)
from medmodel.language import _, format_number
from medmodel.runs.run import Run
from medmodel.runs.status import DecisionThreshold


def predicted_positions(
    scores: NDArray[np.floating],
    classes: Sequence[str],
    threshold: DecisionThreshold | None,
) -> NDArray[np.intp]:
    """Position of each image's predicted class, shape `(n,)`.

    Args:
        scores: Before calibration, shape `(n, classes)`.
        classes: Their names.
        threshold: Of one of two classes; None where the highest score decides, the
            first of equal ones.
    """
    if threshold is None:
        return np.argmax(scores, axis=1)
    position = list(classes).index(threshold.name)
    reached = scores[:, position] >= threshold.value
    return np.where(reached, position, 1 - position)


def highest_classes(
    classes: Sequence[str], scores: NDArray[np.floating], decided: int | None = None
) -> list[str]:
    """The predicted class; several where the highest scores are equal.

    Args:
        classes: Names, `(k,)`.
        scores: Of each class, in [0, 1], `(k,)`.
        decided: Position of the predicted class where a threshold decides; None for
            that of the highest score.
    """
    if decided is not None:
        return [classes[decided]]
    return [classes[at] for at in np.flatnonzero(scores == scores.max()).tolist()]


def calibrated_value(
    threshold: DecisionThreshold, temperature: Temperature | None
) -> float:
    """The threshold among scores after calibration, in (0, 1).

    A temperature keeps the order of two classes' scores: calling from this value on
    calls the same images.
    """
    if temperature is None:
        return threshold.value
    scores = np.array([[threshold.value, 1 - threshold.value]])
    return float(apply_temperature(scores, temperature.value)[0, 0])


def between_ends(value: float, end: int, decimals: int) -> str:
    """A number between 0 and an end, rounded to neither: with more decimals if needed.

    Of a threshold either would say that all images are called, or none.
    """
    enough = (n for n in range(decimals, 15) if 0 < round(value, n) < end)
    return format_number(value, f".{next(enough, 15)}f")


def decision_threshold(run: Run) -> DecisionThreshold | None:
    """The threshold of a run's model; None without one, or without a model.

    Raises:
        RunError: model.json is damaged.
    """
    return run.model_facts.threshold if run.model_path.exists() else None


def decision_sentence(
    classes: Sequence[str],
    threshold: DecisionThreshold | None,
    temperature: Temperature | None,
) -> str:
    """How the predicted class follows from the probabilities; "" by the highest one.

    Args:
        classes: Of the model.
        threshold: Of the model.
        temperature: With which the probabilities that are shown are calibrated.
    """
    if threshold is None:
        return ""
    other = next(name for name in classes if name != threshold.name)
    return _(
        "The predicted class is {name} from {percent} % on, below it {other}: a "
        "threshold chosen on validation images.",
        name=threshold.name,
        percent=between_ends(100 * calibrated_value(threshold, temperature), 100, 1),
        other=other,
    )
