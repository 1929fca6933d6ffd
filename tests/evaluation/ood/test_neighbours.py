"""Exact nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.evaluation.ood.neighbours import nearest_neighbours


def test_neighbours_by_hand() -> None:
    points = np.array([[0, 0], [3, 4], [6, 8]], np.float32)
    rows, distances = nearest_neighbours(points, np.zeros((1, 2), np.float32), 5, 9)
    assert rows.tolist() == [[0, 1, 2]]
    assert distances.tolist() == [[0, 1, 2]]


def test_neighbours_ascend_where_the_matrix_product_loses_digits() -> None:
    places = np.random.default_rng(0).permutation(20)
    points = (1000 + 0.01 * places[:, None]).astype(np.float32)
    asked = np.full((1, 1), 1000, np.float32)
    rows, distances = nearest_neighbours(points, asked, 2.0, 20)
    assert places[rows[0]].tolist() == list(range(20))
    assert distances[0] == pytest.approx(0.005 * np.arange(20), abs=1e-4)
