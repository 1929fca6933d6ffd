"""Principal directions of training images at each depth, and what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.ood.vectors import COPY_SIDE, DEPTHS, Floats

AXES = 64
"""Most directions that are kept at each depth, and of an image among its neighbours."""
FEWEST_OF_CLASS = 10
"""Images of a class below which it has no mean of its own: that would be the images."""
_EDGES = np.cumsum([0, *DEPTHS, COPY_SIDE**2])


@dataclass(frozen=True)
class Directions:
    """Training images' mean, spread and main directions at each depth.

    Args:
        means: (k, d) of each class; spread and directions are those within classes,
            so that what lies between two classes is not familiar because both are.
        scale: (d,), above 0.
        axes: (d, `AXES`), orthonormal at each depth.
    """

    means: Floats
    scale: Floats
    axes: Floats

    @classmethod
    def of(cls, training: Floats, labels: NDArray[Any] | None = None) -> Directions:
        """Those of vectors, (n, d); n at least 2.

        Args:
            training: The vectors.
            labels: Class of each, (n,); None for one.
        """
        means, number = _class_means(training, labels)
        centred = training - means[number]
        scale = np.sqrt(np.mean(centred**2, axis=0))
        scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
        standard = np.clip(centred / scale, -_CLIP, _CLIP)
        axes = np.zeros((training.shape[1], AXES), np.float32)
        for part in _parts():
            directions = principal_directions(standard[:, part])
            axes[part, : directions.shape[1]] = directions
        return cls(means, scale, axes)

    def log_residuals(self, vectors: Floats) -> Floats:
        """(n, 7) of vectors, (n, d), by the class that each is nearest to."""
        of_classes = np.stack(
            [
                log_residuals(standardised(vectors, mean, self.scale), self.axes)
                for mean in self.means
            ]
        )
        nearest = of_classes.sum(axis=2).argmin(axis=0)
        return np.asarray(of_classes[nearest, np.arange(len(vectors))])


def _class_means(
    training: Floats, labels: NDArray[Any] | None
) -> tuple[Floats, NDArray[np.intp]]:
    """Mean of each class, and each image's; classes of few images are one together."""
    if labels is None:
        labels = np.zeros(len(training))
    _classes, number, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    few = counts < FEWEST_OF_CLASS
    number = np.where(few[number], len(counts), number)
    _groups, number = np.unique(number, return_inverse=True)
    groups = range(int(number.max()) + 1)
    return np.stack([training[number == at].mean(axis=0) for at in groups]), number


_CLIP = 30.0
"""Deviations beyond which a number counts no more."""


def _parts() -> list[slice]:
    return [slice(a, b) for a, b in zip(_EDGES[:-1], _EDGES[1:], strict=True)]


def mean_and_scale(training: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of every number over all training images, (d,) each."""
    mean, scale = training.mean(axis=0), training.std(axis=0)
    return mean, np.where(scale > 1e-4, scale, 1.0).astype(np.float32)


def standardised(numbers: Floats, mean: Floats, scale: Floats) -> Floats:
    """(n, d) on the scale of the training images, the strangest numbers clipped."""
    return np.clip((numbers - mean) / scale, -_CLIP, _CLIP)


def log_residuals(standard: Floats, axes: Floats) -> Floats:
    """(n, 7) log of what lies beside the axes at each depth."""
    columns = []
    for part in _parts():
        inside = standard[:, part] @ axes[part]
        beside = (standard[:, part] ** 2).sum(axis=1) - (inside**2).sum(axis=1)
        columns.append(np.log(np.maximum(beside, 1e-3)))
    return np.stack(columns, axis=1)


def log_sum_exp(scores: Floats) -> Floats:
    """Log-sum-exp: as strange as at the strangest depth, more if at several."""
    highest = scores.max(axis=1, keepdims=True)
    return highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))


def principal_directions(standard: Floats) -> Floats:
    """(d, k) principal directions; from the smaller of the two Gram matrices."""
    from scipy.linalg import eigh

    count, width = standard.shape
    count_of_axes = min(AXES, max(count // 3, 1), width // 2)
    if count < width:
        values, left = _largest(eigh, standard @ standard.T, count_of_axes)
        return (standard.T @ left / np.sqrt(np.maximum(values, 1e-6))).astype(
            np.float32
        )
    return _largest(eigh, standard.T @ standard, count_of_axes)[1].astype(np.float32)


def _largest(eigh: Any, gram: Floats, count: int) -> tuple[Floats, Floats]:
    last = len(gram) - 1
    values, vectors = eigh(gram, subset_by_index=[last - count + 1, last])
    return values, vectors
