"""Mean of readers and its interval: by hand, at its edges, and in simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from medmodel.evaluation.clinical.random_readers import (
    mean_of_readers,
    readers_against,
)


def test_two_readers_of_four_images_by_hand() -> None:
    correct = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    estimate = mean_of_readers(correct, None)
    assert estimate.value == pytest.approx(5 / 8)
    # Jackknife covariance of two means: the covariance of the images / their number;
    # deviations (1/4, 1/4, 1/4, -3/4) and (1/2, 1/2, -1/2, -1/2).
    shared = (1 / 8 + 1 / 8 - 1 / 8 + 3 / 8) / 3 / 4
    of_readers = ((3 / 4 - 5 / 8) ** 2) * 2
    error = math.sqrt((of_readers + 2 * shared) / 2)
    freedom = min(3, ((of_readers + 2 * shared) / of_readers) ** 2)
    half = error * stats.t.ppf(0.975, freedom)
    assert estimate.low == pytest.approx(max(0, 5 / 8 - half))
    assert estimate.high == pytest.approx(min(1, 5 / 8 + half))
    assert estimate.n == 4


def test_difference_from_a_model_by_hand() -> None:
    rng = np.random.default_rng(3)
    correct = rng.random((4, 30)) < 0.8
    model = rng.random(30) < 0.6
    estimate, p = readers_against(correct, model, None)
    figures = correct.astype(float) - model
    covariance = np.cov(figures) / 30
    shared = covariance[~np.eye(4, dtype=bool)].mean()
    of_readers = figures.mean(axis=1).var(ddof=1)
    total = of_readers + 4 * max(shared, 0)
    freedom = min(29, 3 * (total / of_readers) ** 2)
    t = figures.mean() / math.sqrt(total / 4)
    assert estimate.value == pytest.approx(figures.mean())
    assert p == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    # The interval holds 0 where the test does not reject.
    assert (estimate.low <= 0 <= estimate.high) == (p >= 0.05)


def test_readers_alike_on_every_image_have_wilsons_interval() -> None:
    estimate = mean_of_readers(np.ones((5, 20), bool), None)
    assert estimate.value == estimate.high == 1
    assert estimate.low == pytest.approx(0.839, abs=1e-3)
    alike = readers_against(np.ones((5, 20), bool), np.zeros(20, bool), None)
    assert alike[0].value == 1 and math.isnan(alike[1])


@pytest.mark.parametrize(
    ("readers", "images", "patients"),
    [(1, 20, None), (5, 1, None), (5, 4, np.zeros(4, np.intp))],
)
def test_one_reader_or_one_unit_has_no_interval(
    readers: int, images: int, patients: np.ndarray | None
) -> None:
    rng = np.random.default_rng(0)
    correct = rng.random((readers, images)) < 0.5
    estimate = mean_of_readers(correct, patients)
    assert estimate.value == pytest.approx(correct.mean())
    assert not estimate.has_interval
    assert math.isnan(readers_against(correct, correct[0], patients)[1])


def test_copies_of_images_of_one_patient_add_nothing() -> None:
    rng = np.random.default_rng(1)
    correct = rng.random((6, 15)) < rng.random(15)
    alone = mean_of_readers(correct, None)
    copies = mean_of_readers(np.repeat(correct, 4, axis=1), np.arange(15).repeat(4))
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    unaware = mean_of_readers(np.repeat(correct, 4, axis=1), None)
    assert unaware.high - unaware.low < alone.high - alone.low


def test_intervals_hold_the_truth_of_other_readers_and_images() -> None:
    rng = np.random.default_rng(0)

    def share(logits: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-logits)))

    truth = share(rng.normal(0.8, math.hypot(1.2, 0.6), 200_000)).mean()
    held = 0
    for _ in range(400):
        logits = 0.8 + rng.normal(0, 1.2, 20) + rng.normal(0, 0.6, (10, 1))
        estimate = mean_of_readers(rng.random((10, 20)) < share(logits), None)
        held += estimate.low <= truth <= estimate.high
    assert 0.92 <= held / 400 <= 0.98
