"""Vectors that are compared."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.evaluation.ood.vectors import ood_vectors
from tests.evaluation.ood.drawn_vectors import FEATURES


def test_the_copy_knows_left_from_right() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = 200
    numbers = ood_vectors(np.zeros((1, FEATURES)), picture[None])
    copy = numbers[0, FEATURES:].reshape(16, 16)
    assert copy[:, :8] == pytest.approx(200)
    assert copy[:, 8:] == pytest.approx(0)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_copy_is_the_mean_of_the_channels_rounded_down(channels: int) -> None:
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (3, 16, 16, channels), dtype=np.uint8)
    copies = ood_vectors(np.zeros((3, FEATURES)), images)[:, FEATURES:]
    assert copies.tolist() == np.floor(images.mean(axis=3)).reshape(3, -1).tolist()
