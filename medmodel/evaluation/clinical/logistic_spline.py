"""Logistic regression on a smooth curve of one number, averaged over its smoothness.

A straight line in log-odds is one of the curves. How much the curve may bend is not
chosen, but weighed by how well each choice explains the images, so that the interval
knows that a straight line may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]

KNOTS = 10
"""At most; at quantiles of the numbers."""
PENALTIES = np.logspace(-4, 4, 8)
"""From curves that follow every few images to a line that is as good as straight."""
_PREFERENCE = -0.2
"""Power of the penalty to which its prior weight is proportional. Of few images a bend
cannot be seen; without a little preference for curves that may bend, intervals of 200
images hold the truth 85 times of 100 where classes are mixtures."""
_RIDGE = 1e-8
_STEPS = 50
_FARTHEST = 3.0
"""Longest of Newton's steps, beyond which the likelihood is nowhere near a parabola."""


@dataclass(frozen=True)
class Mixture:
    """What is known of a share: one of several guesses, each with its weight.

    Args:
        weights: Shape `(m,)`, sum to 1.
        shares: Each guess, in (0, 1), shape `(m,)`.
        images: How many independent images would tell as much, above 0, shape `(m,)`.
    """

    weights: Floats
    shares: Floats
    images: Floats

    @property
    def mean(self) -> float:
        """The share, in (0, 1)."""
        return float(self.weights @ self.shares)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Lower and upper end: Clopper and Pearson's, averaged over the guesses.

        Reference: with an effective number of images: Korn and Graubard, Survey
        Methodology 24 (1998) 193.
        """
        right = np.maximum(self.shares * self.images, 1e-9)
        wrong = np.maximum((1 - self.shares) * self.images, 1e-9)
        low = self._quantile(right, wrong + 1, (1 - level) / 2)
        high = self._quantile(right + 1, wrong, (1 + level) / 2)
        return min(low, self.mean), max(high, self.mean)

    def _quantile(self, one: Floats, other: Floats, at: float) -> float:
        """Of a mixture of beta distributions."""
        from scipy.optimize import brentq
        from scipy.special import betainc, expit

        def excess(log_odds: float) -> float:
            return float(self.weights @ betainc(one, other, expit(log_odds))) - at

        if excess(-40.0) >= 0:
            return 0.0
        return 1.0 if excess(40.0) <= 0 else float(expit(brentq(excess, -40.0, 40.0)))


@dataclass(frozen=True)
class LogisticSpline:
    """Curves of log-odds, one for each of `PENALTIES`.

    Args:
        basis: Natural cubic splines, each 1 at one of the k knots and 0 at the others.
        weights: How likely each curve is, shape `(m,)`; sum to 1.
        coefficients: Log-odds at the knots, shape `(m, k)`.
        covariances: Of the coefficients, shape `(m, k, k)`.
    """

    basis: CubicSpline
    weights: Floats
    coefficients: Floats
    covariances: Floats

    def share(self, x: float) -> Mixture:
        """Of images with this number, the share that is positive.

        Args:
            x: Between the outermost numbers that were fitted.
        """
        from scipy.special import expit

        row: Floats = self.basis(x)
        shares = expit(np.clip(self.coefficients @ row, -30, 30))
        variances = np.einsum("i,mij,j->m", row, self.covariances, row)
        images = 1 / np.maximum(variances * shares * (1 - shares), 1e-9)
        return Mixture(self.weights, shares, images)


def fit_logistic_spline(
    x: Floats, positive: NDArray[np.bool_], line: Floats, effect: float = 1.0
) -> LogisticSpline:
    """Smooth curves of the log-odds of being positive.

    Args:
        x: A number of each image, shape `(n,)`; two different ones at least.
        positive: Whether each image is positive, shape `(n,)`.
        line: Intercept and slope of the logistic regression on `x`: the start.
        effect: How many images tell as much as one independent image, at least 1.

    Reference: penalised splines, weights by Laplace's approximation of the marginal
    likelihood: Wood, J. R. Stat. Soc. B 73 (2011) 3; that such intervals hold the truth
    as a mean along the curve: Marra and Wood, Scand. J. Stat. 39 (2012) 53.
    """
    from scipy.interpolate import CubicSpline

    count = min(KNOTS, max(4, len(np.unique(x)) // 2))
    knots = np.unique(np.quantile(x, np.linspace(0, 1, count)))
    if len(knots) < 3:
        knots = np.linspace(x.min(), x.max(), 3)
    basis = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    roughness = _roughness(basis) * float(x.std()) ** 3
    design, outcome = basis(x), positive.astype(np.float64)
    start = np.clip(line[0] + line[1] * knots, -30.0, 30.0)
    curves: list[_Curve] = []
    for penalty in PENALTIES[::-1]:  # each curve starts from the next smoother one
        curve = _fit(design, outcome, penalty * roughness, start, 1 / effect)
        curves.append(curve)
        start = curve.coefficients
    logs = np.array([curve.evidence for curve in curves])
    # The determinant of the penalty, of which a straight line has no part.
    logs += ((len(knots) - 2) / 2 + _PREFERENCE) * np.log(PENALTIES[::-1])
    weights = np.exp(logs - logs.max())
    return LogisticSpline(
        basis,
        weights / weights.sum(),
        np.stack([curve.coefficients for curve in curves]),
        np.stack([curve.covariance for curve in curves]),
    )


class _Curve(NamedTuple):
    coefficients: Floats
    covariance: Floats
    evidence: float
    """Logarithm of the marginal likelihood, without the penalty's determinant."""


def _roughness(basis: CubicSpline) -> Floats:
    """Integral of the product of any two splines' second derivatives, (k, k).

    These are straight between knots, so that Simpson's rule is exact.
    """
    bend = basis.derivative(2)
    knots = basis.x
    ends, middles = bend(knots), bend((knots[1:] + knots[:-1]) / 2)
    sixths = (np.diff(knots) / 6)[:, None]
    pieces = ((ends[:-1], 1), (middles, 4), (ends[1:], 1))
    return sum((part * sixths * times).T @ part for part, times in pieces)


def _fit(
    design: Floats, outcome: Floats, penalty: Floats, start: Floats, weight: float
) -> _Curve:
    """The curve of one penalty by Newton's steps.

    Args:
        design: Splines at each image, shape `(n, k)`.
        outcome: 1 or 0, shape `(n,)`.
        penalty: Shape `(k, k)`.
        start: Coefficients, shape `(k,)`.
        weight: Of each image, in (0, 1].
    """
    penalty = penalty + _RIDGE * np.eye(len(start))
    coefficients = start
    for _step in range(_STEPS):
        expected, information = _information(design, coefficients, weight)
        slope = weight * design.T @ (outcome - expected) - penalty @ coefficients
        step = np.linalg.solve(information + penalty, slope)
        largest = float(np.abs(step).max())
        coefficients = coefficients + step * min(1.0, _FARTHEST / max(largest, 1e-12))
        if largest < 1e-7:
            break
    _, information = _information(design, coefficients, weight)
    hessian = information + penalty
    signed = np.where(outcome > 0, -1.0, 1.0) * (design @ coefficients)
    likelihood = -weight * float(np.logaddexp(0, signed).sum())
    evidence = likelihood - float(coefficients @ penalty @ coefficients) / 2
    evidence -= float(np.linalg.slogdet(hessian)[1]) / 2
    covariance = np.linalg.inv(hessian).astype(np.float64)
    return _Curve(coefficients, covariance, evidence)


def _information(
    design: Floats, coefficients: Floats, weight: float
) -> tuple[Floats, Floats]:
    """Expected outcome of each image, `(n,)`, and Fisher's information, `(k, k)`."""
    from scipy.special import expit

    expected = expit(np.clip(design @ coefficients, -40, 40))
    spread = weight * np.maximum(expected * (1 - expected), 1e-12)
    return expected, (design * spread[:, None]).T @ design
