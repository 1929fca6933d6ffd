"""Variances of estimates from images of patients."""

import numpy as np
import pytest

from medmodel.evaluation.intervals.variance import (
    design_effect,
    variance_and_freedom,
    variance_and_quantile,
)


def test_design_effect_hand_computed() -> None:
    hits = np.array([1.0, 1, 1, 0, 0, 0])
    influence = hits - 0.5
    assert design_effect(influence, None) == 1
    # Each image its own patient: 6/5 × 1.5 / 1.5.
    assert design_effect(influence, np.arange(6)) == pytest.approx(1.2)
    # Two patients of three equal images: 2/1 × (1.5² + 1.5²) / 1.5, more than copies.
    pairs = np.array([0, 0, 0, 1, 1, 1])
    assert design_effect(influence, pairs) == pytest.approx(6)
    # Two patients who do not agree within themselves: nothing is seen, and Student's t
    # with one degree of freedom fears more than three copies.
    mixed = np.array([0, 0, 1, 0, 1, 1])
    assert design_effect(influence, mixed) == pytest.approx(3)
    # Four pairs: 4/3 × 2.08 / 1.6; three degrees (3.1824) instead of the normal would
    # be more than two copies.
    eight = np.array([1.0, 1, 1, 0, 1, 0, 0, 1]) - 0.625
    assert design_effect(eight, np.repeat(np.arange(4), 2)) == pytest.approx(2)
    # Weighed: the first patient's three images count 2 each, the others' 1 each.
    counted = np.array([2.0, 2, 2, 1, 1, 1])
    assert design_effect(np.zeros(6), pairs, counted) == pytest.approx((36 + 9) / 15)
    # One patient: its images count as one.
    assert design_effect(influence, np.zeros(6, np.intp)) == pytest.approx(6)
    # Nothing varies: copies of one, (3² + 3²) / 6.
    assert design_effect(np.zeros(6), pairs) == pytest.approx(3)


def test_spread_of_many_equal_images_is_normal() -> None:
    influence = np.tile([1.0, -1.0], 5000) / 1e4
    variance, quantile = variance_and_quantile(influence, None)
    assert variance == pytest.approx(1e-4)
    assert quantile == pytest.approx(1.96, abs=1e-3)
    # Five images matter, the rest does not: 2 × 5² / (5 - 5²/n) degrees of freedom.
    rare = np.zeros(10_000)
    rare[:5] = 1.0
    assert variance_and_quantile(rare, None)[1] == pytest.approx(2.2278, abs=1e-2)


def test_numbers_of_patients_may_have_gaps() -> None:
    """As where some of the images are left out."""
    influence = np.array([0.3, -0.1, 0.2, -0.2, -0.2])
    dense, sparse = np.array([0, 0, 1, 2, 2]), np.array([3, 3, 4, 9, 9])
    for measure in (variance_and_freedom, variance_and_quantile):
        assert measure(influence, sparse) == measure(influence, dense)
    # Patients add 0.2, 0.2 and -0.4: 3/2 × 0.24, and 0.24² ÷ (0.0288 - 0.24² / 3) × 2.
    variance, freedom = variance_and_freedom(influence, dense)
    assert variance == pytest.approx(0.36)
    assert freedom == pytest.approx(min(2, 2 * 0.0576 / (0.0288 - 0.0192)))
