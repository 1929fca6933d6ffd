"""Exact nearest neighbours among the training images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.ood.vectors import Floats


def nearest_neighbours(
    points: Floats,
    asked: Floats,
    unit: float,
    count: int,
    squares: Floats | None = None,
) -> tuple[NDArray[np.intp], Floats]:
    """Exact Euclidean neighbours by one matrix product.

    Args:
        points: (n, k).
        asked: (m, k).
        unit: What distances are divided by.
        count: How many neighbours.
        squares: (n,) squared lengths of the points, if they are known.

    Returns:
        Row numbers and distances, (m, min(count, n)) each, nearest first.
    """
    count = min(count, len(points))
    if squares is None:
        squares = squared_lengths(points)
    apart = squares[None] - (2 * asked) @ points.T
    rows = np.argpartition(apart, count - 1, axis=1)[:, :count]
    # The matrix product loses digits where points lie close together.
    exact = np.linalg.norm(points[rows] - asked[:, None], axis=2)
    order = np.argsort(exact, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    sorted_distances = np.take_along_axis(exact, order, axis=1) / np.float32(unit)
    return rows, sorted_distances.astype(np.float32)


def squared_lengths(points: Floats) -> Floats:
    """(n,) squared Euclidean lengths of points, (n, k)."""
    return np.asarray(np.einsum("nk,nk->n", points, points), np.float32)
