"""A detector from the vectors of a run's images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.job import UNATTENDED, Job
from medmodel.evaluation.ood.detector import OodDetector
from medmodel.evaluation.ood.neighbours import nearest_neighbours
from medmodel.evaluation.ood.residuals import (
    Directions,
    log_sum_exp,
    mean_and_scale,
    principal_directions,
    standardised,
)
from medmodel.evaluation.ood.vectors import DEPTHS, Floats

MOST_FITTED = 1000
"""Training images from which the directions are found."""
_CROSS_FITTED = 6000
"""Training images in all over the folds of a cross-fit, which bounds its time: each of
a few dozen images is left out alone, a thousand in six folds."""
_FEWEST_FOLDS = 5


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a detector come from; see `OodDetector`.

    Args:
        size: Side of the images of which the features were taken.
        own: Whether these are the model's own.
        smallest: Shorter side of the smallest training image, 0 for unknown.
        grey: Whether the training images have no colour.
        labels: Class of each training image, (n,); None for one.
    """

    size: int
    own: bool
    smallest: int
    grey: bool
    labels: NDArray[Any] | None = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Lets matrices be multiplied and decomposed by one thread.

    These are so small that threads wait for each other more than they work: on two
    cores, beside other work, two took twenty times the processor time of one.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


@one_thread()
def fit_detector(
    training: Floats,
    validation: Floats,
    points: Floats,
    names: Any,
    origin: Origin,
    patients: tuple[NDArray[Any], NDArray[Any]] | None = None,
    job: Job = UNATTENDED,
) -> OodDetector:
    """A detector from the vectors of a run's images.

    Args:
        training: (n, d) vectors of training images, at least 2.
        validation: (v, d) vectors of validation images, at least 1.
        points: (m, sum of `DEPTHS`) features of the training images to be found again.
        names: (path, label) of each of them.
        origin: Where the vectors come from.
        patients: Whose each training and each validation image is, (n,) and (v,);
            every image is a patient's of its own by default.
        job: Told ("reference", fits done, all): of all images, of the cross-fit, and
            of all again.
    """
    if patients is None:
        patients = np.arange(len(training)), np.arange(len(validation))
    fits = folds_of(len(training), len(np.unique(patients[0]))) + 2
    job.progress("reference", 0, fits)
    directions = Directions.of(training, origin.labels)
    mean, scale = mean_and_scale(training)

    def fitted(folds: int) -> None:
        job.progress("reference", 1 + folds, fits)

    left_out = cross_fitted_log_residuals(training, patients[0], origin.labels, fitted)
    logs = np.concatenate([directions.log_residuals(validation), left_out])
    # Of one patient's training images none can be left out, and none is judged.
    judged_patients = patients if len(left_out) else patients[1:]
    # Percentiles: one image that is far off must not let others of its kind pass.
    centre = np.median(logs, axis=0)
    low, high = np.quantile(logs, [0.16, 0.84], axis=0)
    spread = np.maximum((high - low) / 2, 0.05).astype(np.float32)
    judged = np.sort(log_sum_exp((logs - centre) / spread))
    width = sum(DEPTHS)
    view = principal_directions(
        standardised(training[:, :width], mean[:width], scale[:width])
    )
    placed = np.concatenate(
        [
            standardised(points[i : i + 2048], mean[:width], scale[:width]) @ view
            for i in range(0, len(points), 2048)
        ]
    )
    seen = standardised(validation[:, :width], mean[:width], scale[:width]) @ view
    unit = max(
        float(np.median(nearest_neighbours(placed, seen[:200], 1.0, 1)[1])), 1e-6
    )
    joined = "\0".join(text for pair in names for text in pair).encode()
    return OodDetector(
        *(mean, scale, directions.axes, centre, spread, judged, view, placed, unit),
        np.frombuffer(joined, np.uint8),
        *(origin.size, int(origin.own), origin.smallest, int(origin.grey)),
        *(len(left_out), sum(len(np.unique(split)) for split in judged_patients)),
        *(directions.means, directions.scale),
    )


def folds_of(images: int, patients: int) -> int:
    """Folds of the cross-fit of so many training images of so many patients."""
    return min(max(_FEWEST_FOLDS, _CROSS_FITTED // images), patients)


@one_thread()
def cross_fitted_log_residuals(
    training: Floats,
    patients: NDArray[Any],
    labels: NDArray[Any] | None = None,
    fitted: Callable[[int], None] = lambda folds: None,
) -> Floats:
    """Log residuals of training images by directions found without their patients.

    Args:
        training: (n, d).
        patients: Whose each image is, (n,).
        labels: Class of each, (n,); None for one.
        fitted: Told how many folds are done.

    Returns:
        (m, 7); m is n, or 0 where fewer than 2 images would be left to find directions.
    """
    distinct, number = np.unique(patients, return_inverse=True)
    folds = folds_of(len(training), len(distinct))
    # Patients come by name or number, which may mean something.
    order = np.random.default_rng(0).permutation(len(distinct))
    fold = (order % folds)[number]
    residuals = []
    for at in range(folds):
        fitted(at)
        rest = fold != at
        if rest.sum() >= 2:
            of_rest = None if labels is None else labels[rest]
            directions = Directions.of(training[rest], of_rest)
            residuals.append(directions.log_residuals(training[fold == at]))
    fitted(folds)
    if not residuals:
        return np.empty((0, len(DEPTHS) + 1), np.float32)
    return np.concatenate(residuals).astype(np.float32)
