"""The sigmoid head against regressions that are solved one by one."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.training.logistic_regression import SoftmaxPath
from medmodel.training.multi_label.sigmoid_head import (
    SigmoidPath,
    cross_entropy,
    mean_auc,
    sigmoid,
)


def test_each_finding_is_solved_as_if_alone() -> None:
    random = np.random.default_rng(1)
    features = random.normal(size=(80, 3)).astype(np.float32)
    targets = np.stack(
        [features[:, 0] + random.normal(size=80) > 0, features[:, 1] > 0.5], axis=1
    ).astype(np.float32)
    weights, strengths = np.ones(80), np.array([0.1, 0.01])
    both = SigmoidPath(features, targets, weights, strengths, np.zeros((2, 4, 2)))
    for _ in range(60):
        both.advance()
    for finding in range(2):
        # A softmax of two classes: its difference is the log-odds, with half the
        # penalty, since both columns share it.
        alone = SoftmaxPath(
            features,
            targets[:, finding].astype(int),
            weights,
            strengths * 2,
            np.zeros((2, 4, 2)),
        )
        for _ in range(60):
            alone.advance()
        odds = alone.coefficients[:, :, 1] - alone.coefficients[:, :, 0]
        np.testing.assert_allclose(both.coefficients[:, :, finding], odds, atol=2e-2)


def test_loss_is_the_mean_over_findings() -> None:
    features = np.zeros((4, 1), np.float32)
    targets = np.array([[0, 1], [1, 1], [0, 1], [1, 1]], np.float32)
    path = SigmoidPath(
        features, targets, np.ones(4), np.array([1.0]), np.zeros((1, 2, 2))
    )
    assert path.loss[0] == pytest.approx(np.log(2))


def test_mean_auc_leaves_out_what_cannot_be_measured() -> None:
    odds = np.array([[0.1, 3], [0.2, 1], [0.3, 2.0]])
    targets = np.array([[0, 1], [1, 1], [0, 1]])
    assert mean_auc(odds, targets) == 0.5
    targets[2, 1] = 0
    assert mean_auc(odds, targets) == pytest.approx((0.5 + 0.5) / 2)
    assert mean_auc(odds, np.zeros((3, 2))) == 0.5


def test_far_log_odds_do_not_overflow() -> None:
    odds = np.array([-1e4, 0.0, 1e4])
    np.testing.assert_allclose(sigmoid(odds), [0, 0.5, 1])
    np.testing.assert_allclose(
        cross_entropy(odds, np.array([0, 1, 1])), [0, np.log(2), 0]
    )
