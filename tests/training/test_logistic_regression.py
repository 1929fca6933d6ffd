"""Softmax layers of many strengths at once: the optimum, and whom to trust."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from medmodel.training.logistic_regression import (
    SoftmaxPath,
    ValidationScore,
    log_probabilities,
    validation_score,
)

STRENGTHS = np.array([1.0, 0.1, 0.01])


def blobs(seed: int = 0, count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, count)
    centres = rng.normal(size=(3, 6))
    features = centres[targets] + rng.normal(size=(count, 6))
    return features.astype(np.float32), targets


def trained(weights: np.ndarray | None = None, passes: int = 80) -> SoftmaxPath:
    features, targets = blobs()
    weights = np.ones(len(targets)) if weights is None else weights
    start = np.zeros((3, 7, 3), np.float32)
    path = SoftmaxPath(features, targets, weights, STRENGTHS, start)
    for _ in range(passes):
        path.advance()
    return path


@pytest.mark.parametrize("position", range(3))
def test_every_strength_reaches_its_own_optimum(position: int) -> None:
    features, targets = blobs()
    weights = np.where(targets == 0, 3.0, 1.0)
    path = trained(weights)
    # Scikit-learn sums where we take the mean: C = 1 / (strength * total weight).
    known = LogisticRegression(
        C=1 / (STRENGTHS[position] * weights.sum()), tol=1e-8, max_iter=2000
    ).fit(features, targets, sample_weight=weights)
    ours = np.exp(log_probabilities(features, path.coefficients)[position])
    np.testing.assert_allclose(ours, known.predict_proba(features), atol=2e-3)


def test_value_never_rises() -> None:
    features, targets = blobs()
    path = SoftmaxPath(
        features, targets, np.ones(120), STRENGTHS, np.zeros((3, 7, 3), np.float32)
    )
    before = path.loss
    assert before == pytest.approx(np.full(3, np.log(3)), abs=1e-6)
    for _ in range(30):
        path.advance()
    assert (path.loss < before).all()
    assert path.loss[2] < path.loss[1] < path.loss[0]


def test_same_input_same_bits() -> None:
    np.testing.assert_array_equal(trained().coefficients, trained().coefficients)


def test_probabilities_survive_large_scores() -> None:
    coefficients = np.array([[[1000.0, -1000.0], [0.0, 0.0]]], np.float32)
    logs = log_probabilities(np.ones((1, 1), np.float32), coefficients)
    np.testing.assert_allclose(logs[0, 0], [0.0, -2000.0])


def test_judge_gives_each_layer_its_temperature() -> None:
    # One feature, two classes: the scores differ by x. Right in three of four cases,
    # the honest probability is 3/4 whatever the layer's own confidence.
    timid = np.array([[0.0, 0.1], [0.0, 0.0]])
    bold = np.array([[0.0, 3.0], [0.0, 0.0]])
    features = np.ones((4, 1), np.float32)
    layers = np.array([timid, bold], np.float32)
    found = validation_score(layers, features, np.array([1, 1, 1, 0]), np.ones(4))
    honest = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found.losses[1] == pytest.approx(honest, abs=1e-4)
    assert found.temperatures[1] == pytest.approx(np.log(3) / 3, rel=1e-2)
    assert found.accuracies.tolist() == [0.75, 0.75]
    # Six steps of at most 1.5 each do not reach a factor of 11; nearly.
    assert found.losses[0] == pytest.approx(honest, abs=1e-3)


def test_images_count_by_weight() -> None:
    layers = np.array([[[0.0, 1.0], [0.0, 0.0]]], np.float32)
    features = np.ones((2, 1), np.float32)
    found = validation_score(layers, features, np.array([1, 0]), np.array([3.0, 1.0]))
    assert found.temperatures[0] == pytest.approx(np.log(3), rel=1e-3)


def test_strongest_within_one_standard_error_leads() -> None:
    losses, errors = np.array([0.5, 0.33, 0.308, 0.3]), np.array([0.1, 0.05, 0.02, 0.0])
    none = np.zeros(4)
    assert ValidationScore(losses, errors, none, none).leader == 1
    assert ValidationScore(losses, errors / 2, none, none).leader == 2
    assert ValidationScore(losses, errors / 4, none, none).leader == 3
