"""Batches of several findings, and their mean AUC in training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medmodel.networks.multi_label import MeanAUC, MultiLabelSamples
from medmodel.networks.pipeline import training_batches


def test_mean_auc_over_batches() -> None:
    metric = MeanAUC(2)
    assert float(metric.result()) == 0.5
    truth = np.array([[1, 1], [0, 1], [1, 1], [0, 1]], np.float32)
    scores = np.array([[0.9, 0.1], [0.2, 0.5], [0.3, 0.9], [0.6, 0.4]], np.float32)
    metric.update_state(truth[:2], scores[:2])
    metric.update_state(truth[2:], scores[2:])
    # The first: 3 of 4 pairs in order; all have the second, which is left out.
    assert float(metric.result()) == pytest.approx(0.75)
    metric.reset_state()
    metric.update_state(np.array([[1, 0], [0, 1]]), np.full((2, 2), 0.5))
    assert float(metric.result()) == pytest.approx(0.5)
    metric.update_state(np.array([[1, 1], [0, 0]]), np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert float(metric.result()) == pytest.approx(7 / 8)


def test_mean_auc_of_many_findings_is_that_of_each() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((200, 7)) < 0.3).astype(np.float32)
    odds = random.normal(0, 2, truth.shape) + truth
    scores = (1 / (1 + np.exp(-odds))).astype(np.float32)
    metric = MeanAUC(7)
    for start in range(0, 200, 32):
        metric.update_state(truth[start : start + 32], scores[start : start + 32])
    areas = [roc_auc_score(truth[:, k], scores[:, k]) for k in range(7)]
    assert float(metric.result()) == pytest.approx(np.mean(areas), abs=2e-3)


def test_batches_carry_findings() -> None:
    pixels = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 2, 2, 1), np.uint8
    )
    findings = np.array([[1, 1], [0, 1], [1, 0]], np.float32)
    samples = MultiLabelSamples(pixels, np.array([0, 2, 3]), findings, 2)
    images, labels, weights = next(
        iter(training_batches(samples, 3).as_numpy_iterator())
    )
    by_row = {
        int(i[0, 0, 0]): label.tolist() for i, label in zip(images, labels, strict=True)
    }
    assert by_row == {0: [1, 1], 2: [0, 1], 3: [1, 0]}
    assert weights.tolist() == [1, 1, 1]
