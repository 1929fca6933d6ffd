"""Principal directions of training images at each depth, and what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medmodel.evaluation.ood.vectors import COPY_SIDE, DEPTHS, Floats

AXES = 64
"""Most directions that are kept at each depth, and of an image among its neighbours."""
_EDGES = np.cumsum([0, *DEPTHS, COPY_SIDE**2])


@dataclass(frozen=True)
class Directions:
    """Training images' mean, spread and main directions at each depth."""

    mean: Floats
    scale: Floats
    axes: Floats

    @classmethod
    def of(cls, training: Floats) -> Directions:
        """Those of vectors, (n, d); n at least 2."""
        mean, scale = training.mean(axis=0), training.std(axis=0)
        scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
        standard = standardised(training, mean, scale)
        axes = np.zeros((training.shape[1], AXES), np.float32)
        for part in _parts():
            directions = principal_directions(standard[:, part])
            axes[part, : directions.shape[1]] = directions
        return cls(mean, scale, axes)

    def log_residuals(self, vectors: Floats) -> Floats:
        """(n, 7) of vectors, (n, d)."""
        return log_residuals(standardised(vectors, self.mean, self.scale), self.axes)


def _parts() -> list[slice]:
    return [slice(a, b) for a, b in zip(_EDGES[:-1], _EDGES[1:], strict=True)]


def standardised(numbers: Floats, mean: Floats, scale: Floats) -> Floats:
    """(n, d) on the scale of the training images, the strangest numbers clipped."""
    return np.clip((numbers - mean) / scale, -30, 30)


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
