"""Multinomial logistic regression at several strengths of regularisation at once.

One matrix product serves all strengths: reading the features from memory is what costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEMORY = 12
SUFFICIENT_DECREASE = 1e-4
TEMPERATURE_STEPS = 6


class SoftmaxPath:
    """Softmax layers on the same features, one per strength, trained side by side.

    Each minimises the weighted mean cross-entropy plus strength / 2 times the squared
    norm of its kernel (the bias is free) with L-BFGS (Liu and Nocedal 1989,
    Mathematical Programming 45). The problem is convex, so the result depends neither
    on a seed nor on a learning rate.

    Args:
        features: (n, d) float32, standardised.
        targets: (n,) class numbers.
        weights: (n,) weight of each row, any scale.
        strengths: (s,) strengths of regularisation, all above 0.
        start: (s, d + 1, k) coefficients to begin with, the last row being the bias;
            gives the number of classes k.
    """

    def __init__(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        strengths: np.ndarray,
        start: np.ndarray,
    ) -> None:
        self._features = features
        self._one_hot = self._indicators(targets, start.shape[2])
        self._weights = (weights / weights.sum()).astype(np.float32)[:, None]
        self._targets = targets
        self._strengths = strengths.astype(np.float64)
        self._pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._curvature = np.ones(len(strengths))
        self.coefficients = start.astype(np.float32)
        self._value, self._slope, self.loss, self.accuracy = self._evaluate(
            self.coefficients
        )
        self._direction = -self._slope
        # The first step has the length of the slope's inverse: later ones are scaled
        # by what was seen of the curvature.
        self._step = 1.0 / np.maximum(_norm(self._slope), 1.0)

    @staticmethod
    def _indicators(targets: np.ndarray, count: int) -> np.ndarray:
        return np.eye(count, dtype=np.float32)[targets]

    def advance(self) -> None:
        """One pass over the features for every strength.

        A strength whose step went too far stays where it is and tries a shorter one
        in the next pass.
        """
        step = self._step[:, None, None].astype(np.float32)
        tried = self.coefficients + step * self._direction
        value, slope, loss, accuracy = self._evaluate(tried)
        descent = _dot(self._slope, self._direction)
        limit = self._value + SUFFICIENT_DECREASE * self._step * descent
        better = value <= limit
        self._add_curvature_pair(tried - self.coefficients, slope - self._slope, better)
        taken = better[:, None, None]
        self._slope = np.where(taken, slope, self._slope)
        direction = self._descent_direction()
        # Where a parabola through what is known has its lowest point.
        excess = np.maximum(value - self._value - self._step * descent, 1e-30)
        guess = np.clip(-descent * self._step / (2 * excess), 1e-3, 0.5)
        self._step = np.where(better, 1.0, self._step * guess)
        self._direction = np.where(taken, direction, self._direction)
        self.coefficients = np.where(taken, tried, self.coefficients)
        self._value = np.where(better, value, self._value)
        self.loss = np.where(better, loss, self.loss)
        self.accuracy = np.where(better, accuracy, self.accuracy)

    def _evaluate(self, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
        """(value, slope, loss, accuracy) of every strength."""
        kernel = coefficients[:, :-1]
        logs = log_probabilities(self._features, coefficients)
        hit = logs.argmax(axis=2) == self._targets
        weights = self._weights[:, 0]
        loss = -np.einsum("snk,nk,n->s", logs, self._one_hot, weights)
        errors = (np.exp(logs) - self._one_hot) * self._weights
        slope = np.empty_like(coefficients)
        s, n, k = errors.shape
        flat = self._features.T @ errors.transpose(1, 0, 2).reshape(n, s * k)
        slope[:, :-1] = flat.reshape(-1, s, k).transpose(1, 0, 2)
        slope[:, :-1] += self._strengths[:, None, None].astype(np.float32) * kernel
        slope[:, -1] = errors.sum(axis=1)
        value = loss + self._strengths / 2 * _dot(kernel, kernel)
        return value, slope, loss, hit.mean(axis=1)

    def _add_curvature_pair(
        self, moved: np.ndarray, bent: np.ndarray, better: np.ndarray
    ) -> None:
        product = _dot(moved, bent)
        sound = better & (product > 1e-12)
        # A pair with inverse 0 has no effect: this strength did not move.
        inverse = np.where(sound, 1.0 / np.where(sound, product, 1.0), 0.0)
        ratio = product / np.maximum(_dot(bent, bent), 1e-30)
        self._curvature = np.where(sound, ratio, self._curvature)
        self._pairs = [*self._pairs, (moved, bent, inverse)][-MEMORY:]

    def _descent_direction(self) -> np.ndarray:
        """Minus the slope times the estimated inverse Hessian (two-loop recursion)."""
        q = self._slope.copy()
        factors = []
        for moved, bent, inverse in reversed(self._pairs):
            factor = inverse * _dot(moved, q)
            q -= _column(factor) * bent
            factors.append(factor)
        q *= _column(self._curvature)
        for (moved, bent, inverse), factor in zip(
            self._pairs, reversed(factors), strict=True
        ):
            q += _column(factor - inverse * _dot(bent, q)) * moved
        return -q


def log_probabilities(features: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Log probabilities of every class under each set of coefficients.

    Args:
        features: (n, d) float32.
        coefficients: (s, d + 1, k), the last row being the bias.

    Returns:
        (s, n, k) float32.
    """
    return _normalised(linear_scores(features, coefficients))


def linear_scores(features: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """What the linear layer says under each set of coefficients; takes the same.

    Returns:
        (s, n, k) float32: logits of classes, or log-odds of findings.
    """
    s, rows, k = coefficients.shape
    kernels = coefficients[:, :-1].transpose(1, 0, 2).reshape(rows - 1, s * k)
    scores = (features @ kernels).reshape(-1, s, k).transpose(1, 0, 2)
    return scores + coefficients[:, None, -1]


@dataclass(frozen=True)
class ValidationScore:
    """What validation images say about each strength of regularisation.

    Args:
        losses: (s,) weighted log loss at its own temperature.
        errors: (s,) standard error of what each loses to the best, image by image.
        accuracies: (s,) share of right first choices, 0 to 1.
        temperatures: (s,) factor on the scores with which the loss is lowest.
    """

    losses: np.ndarray
    errors: np.ndarray
    accuracies: np.ndarray
    temperatures: np.ndarray

    @property
    def leader(self) -> int:
        """The strength to trust: the strongest within one standard error of the best.

        Less than that may be chance, and the simpler layer bears images from elsewhere
        better (Breiman et al. 1984; Hastie, Tibshirani and Friedman 2009, The Elements
        of Statistical Learning, 7.10). The error is that of the difference on the same
        images.
        """
        behind = self.losses - self.losses.min()
        return int(np.argmax(behind <= self.errors))


def validation_score(
    coefficients: np.ndarray,
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
) -> ValidationScore:
    """Measures layers on images from which they did not learn.

    Strong regularisation makes a layer timid, whatever it knows. So each is first
    given the temperature that suits it best (Guo et al. 2017, ICML).

    Args:
        coefficients: (s, d + 1, k), from the strongest regularisation to the weakest.
        features: (n, d) standardised features.
        targets: (n,) their classes.
        weights: (n,) what each image counts.
    """
    return score_of_logs(log_probabilities(features, coefficients), targets, weights)


def score_of_logs(
    logs: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> ValidationScore:
    """The same from log probabilities, (s, n, k)."""
    share = weights / weights.sum()
    hits = logs.argmax(axis=2) == targets
    accuracies = hits.mean(axis=1)
    temperatures = _temperatures(logs, targets, share)
    scaled = _normalised(logs * temperatures[:, None, None])
    losses = -scaled[:, np.arange(len(targets)), targets]
    means = losses @ share
    lost = losses - losses[np.argmin(means)]
    spread = (lost - (lost @ share)[:, None]) ** 2
    return ValidationScore(means, np.sqrt(spread @ share**2), accuracies, temperatures)


def _temperatures(
    logs: np.ndarray, targets: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """The factor on each strength's scores that minimises its loss, by Newton."""
    factors = np.ones(len(logs))
    of_truth = logs[:, np.arange(len(targets)), targets]
    for _ in range(TEMPERATURE_STEPS):
        chances = np.exp(_normalised(logs * factors[:, None, None]))
        mean = (chances * logs).sum(axis=2)
        spread = (chances * logs**2).sum(axis=2) - mean**2
        step = (mean - of_truth) @ share / np.maximum(spread @ share, 1e-9)
        # Far from the minimum Newton's step would leap over it.
        factors = np.clip(factors - step, factors / 1.5, factors * 1.5)
    return np.clip(factors, 0.1, 10.0)


def _normalised(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=2, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("sij,sij->s", a, b, dtype=np.float64)


def _norm(a: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(a, a))


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None, None].astype(np.float32)
