"""Whether two models predict the same: pixels, and what they outline."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.export.agreement import agreement, foreground_dice


def test_outlines_count_beside_the_background() -> None:
    expected = np.zeros((2, 100, 100), int)
    expected[0, :10, :10] = 1
    predicted = expected.copy()
    predicted[0, :5] = 0
    # 50 of 20,000 pixels differ, and half of all that is outlined.
    assert agreement(predicted, expected) == 0.9975
    assert agreement(predicted, expected, outlines=True) == pytest.approx(100 / 150)
    assert agreement(expected, expected, outlines=True) == 1
    predicted[:] = 0
    assert agreement(predicted, expected, outlines=True) == 0
    assert foreground_dice(expected, predicted) == 0
    # Of images without anything the pixels alone tell.
    assert foreground_dice(predicted, predicted) is None
    assert agreement(predicted, predicted, outlines=True) == 1


def test_a_small_class_counts_as_a_large_one() -> None:
    expected = np.repeat([1, 2, 0], [90, 10, 900])
    predicted = np.where(expected == 2, 1, expected)
    assert foreground_dice(predicted, expected) == 0
    # Where it takes from the other one, the foreground is the same, yet no class.
    swapped = expected.copy()
    swapped[0] = 2
    assert foreground_dice(swapped, expected) == pytest.approx(20 / 21)
