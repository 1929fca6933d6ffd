"""Smooth logistic regression: the limit of a straight line, bends, mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.special import expit
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from medmodel.evaluation.clinical import logistic_spline
from medmodel.evaluation.clinical.logistic_spline import (
    Mixture,
    fit_logistic_spline,
)

LINE = np.array([0.0, 1.0])


def drawn(count: int, bend: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds x + bend x² at normal x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    return x, rng.random(count) < expit(x + bend * x**2)


def test_the_stiffest_curve_is_the_logistic_regression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logistic_spline, "PENALTIES", np.array([1e9]))
    x, positive = drawn(300, 1.0)
    curve = fit_logistic_spline(x, positive, LINE)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], positive)
    for at in (-1.0, 0.0, 1.5):
        right = other.predict_proba([[at]])[0, 1]
        assert curve.share(at).mean == pytest.approx(right, abs=1e-4)


def test_a_bend_is_followed_and_a_straight_line_stays_one() -> None:
    for bend in (0.0, 1.0):
        x, positive = drawn(3000, bend)
        curve = fit_logistic_spline(x, positive, LINE)
        for at in (-1.5, 0.0, 1.5):
            truth = expit(at + bend * at**2)
            assert curve.share(at).mean == pytest.approx(truth, abs=0.06)
        stiff = curve.weights[:4].sum()
        assert stiff > 0.6 if bend == 0 else stiff < 0.4


def test_roughness_is_the_integral_of_the_second_derivatives() -> None:
    basis = CubicSpline([0.0, 1.0, 3.0, 4.0], np.eye(4), bc_type="natural")
    found = logistic_spline._roughness(basis)
    bend = basis.derivative(2)
    for one, other in ((0, 0), (1, 2), (3, 1)):
        pieces = ((0, 1), (1, 3), (3, 4))
        right = sum(
            quad(lambda x: bend(x)[one] * bend(x)[other], a, b)[0]  # noqa: B023
            for a, b in pieces
        )
        assert found[one, other] == pytest.approx(right)
    assert found @ basis.x == pytest.approx(np.zeros(4), abs=1e-12)


def test_images_that_count_less_widen_the_interval() -> None:
    x, positive = drawn(400, 0.0)
    ends = [
        fit_logistic_spline(x, positive, LINE, effect).share(0.0).interval()
        for effect in (1.0, 4.0)
    ]
    (low, high), (lower, higher) = ends
    assert 1.6 < (higher - lower) / (high - low) < 2.4


def test_a_mixture_of_one_has_clopper_and_pearson_s_interval() -> None:
    one = Mixture(np.ones(1), np.array([0.3]), np.array([20.0]))
    low, high = one.interval()
    assert low == pytest.approx(beta.ppf(0.025, 6, 15))
    assert high == pytest.approx(beta.ppf(0.975, 7, 14))
    never = Mixture(np.ones(1), np.array([1e-13]), np.array([20.0]))
    assert never.interval()[0] == pytest.approx(0, abs=1e-9)
    assert never.interval()[1] == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-3)


def test_a_mixture_reaches_as_far_as_its_likely_guesses() -> None:
    shares, images = np.array([0.1, 0.6]), np.array([200.0, 200.0])
    low, high = Mixture(np.array([0.5, 0.5]), shares, images).interval()
    assert low < 0.1 and high > 0.6
    mixture = Mixture(np.array([0.999, 0.001]), shares, images)
    assert mixture.interval()[1] < 0.2
    assert mixture.mean == pytest.approx(0.1005)


@pytest.mark.parametrize("values", [[0.0, 1.0], [-16.0, -16.0, -16.0, 16.0]])
def test_few_different_numbers_are_enough(values: list[float]) -> None:
    x = np.tile(values, 20)
    positive = np.arange(len(x)) % 3 == 0
    curve = fit_logistic_spline(x, positive, np.array([0.0, 0.0]))
    for value in set(values):
        share = positive[x == value].mean()
        assert curve.share(value).mean == pytest.approx(share, abs=0.1)
