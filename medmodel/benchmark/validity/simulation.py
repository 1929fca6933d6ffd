"""Predictions with a known truth: what intervals and tests are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.predictions import Predictions


class Asked(NamedTuple):
    """An interval of one drawn split, with the truth.

    Args:
        name: What it is of.
        units: Images, or patients, of the smallest group that it rests on.
        of_patients: Whether patients are counted.
        least: The fewest of them with which an interval is given.
        estimate: The number with the interval, if there is one.
        truth: What very many images would give.
    """

    name: str
    units: int
    of_patients: bool
    least: int
    estimate: Estimate
    truth: float


@dataclass(frozen=True)
class Setting:
    """A population of images from which splits are drawn.

    Args:
        title: What it is called.
        shares: Prevalence of each class; sums to 1.
        images: Images in a split, where each is a patient of its own.
        patients: Patients in a split with 1 to 5 images each; 0 for `images`. A
            patient's images have one label, and half the variance in common.
        separation: Distance of the classes in standard deviations.
        sharpness: 1 for calibrated scores, above for overconfident ones.
        spreads: Standard deviation of each class's images; default 1 for all.
        stratified: Whether each class has its share of every split, as in those that
            the product draws, instead of as many as chance brings.
    """

    title: str
    shares: tuple[float, ...]
    images: int = 0
    patients: int = 0
    separation: float = 2.0
    sharpness: float = 1.5
    spreads: tuple[float, ...] = ()
    stratified: bool = False


SETTINGS: list[Setting] = [
    Setting("balanced", (1 / 3, 1 / 3, 1 / 3), images=300),
    Setting("calibrated", (0.5, 0.5), images=300, separation=1.5, sharpness=1.0),
    Setting("rare class", (0.95, 0.05), images=400),
    Setting("clustered", (1 / 3, 1 / 3, 1 / 3), patients=120),
    Setting("rare and clustered", (0.9, 0.1), patients=200),
    Setting("rare and varied", (0.95, 0.05), images=400, spreads=(1.0, 2.0)),
    Setting("few patients", (0.5, 0.5), patients=8, separation=1.5),
]


def simulate(
    setting: Setting, rng: np.random.Generator, separations: tuple[float, ...] = ()
) -> list[Predictions]:
    """Predictions of several models for one drawn split.

    Args:
        setting: The population.
        rng: Source of chance.
        separations: One per model; default one model with the setting's own. Two
            models' errors have half their variance in common.
    """
    classes = len(setting.shares)
    patients: NDArray[np.intp] | None = None
    units = setting.patients or setting.images
    truth = np.zeros(units, np.intp)
    if setting.stratified:
        ends = np.rint(np.cumsum(setting.shares) * units)
        truth = np.searchsorted(ends, np.arange(units), side="right")
    while len(np.unique(truth)) < classes:  # a class without an image has no metrics
        truth = rng.choice(classes, units, p=setting.shares)
    if setting.patients:
        patients = np.repeat(np.arange(units), rng.integers(1, 6, units))
        truth = truth[patients]
    models = separations or (setting.separation,)
    shared = _noise(rng, len(truth), classes, patients)
    predictions = []
    for separation in models:
        noise = shared
        if len(models) > 1:
            noise = np.sqrt(0.5) * (shared + _noise(rng, len(truth), classes, patients))
        if setting.spreads:
            noise = noise * np.array(setting.spreads)[truth][:, None]
        seen = noise + separation * np.eye(classes)[truth]
        logits = setting.sharpness * (separation * seen + np.log(setting.shares))
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = raised / raised.sum(axis=1, keepdims=True)
        names = [f"class {k}" for k in range(classes)]
        predictions.append(Predictions(names, truth, scores, patients))
    return predictions


def _noise(
    rng: np.random.Generator,
    n: int,
    classes: int,
    patients: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    by_image = rng.normal(size=(n, classes))
    if patients is None:
        return by_image
    common = rng.normal(size=(int(patients.max()) + 1, classes))[patients]
    return np.sqrt(0.5) * (by_image + common)
