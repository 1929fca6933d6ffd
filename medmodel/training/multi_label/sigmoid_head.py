"""Sigmoid head: a logistic regression for each finding, on the same features.

Each finding has a strength of regularisation and a temperature of its own, chosen on
validation images as those of the softmax head are.
"""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.metrics.ranking_metrics import auc_components
from medmodel.networks.features import FEATURES
from medmodel.training.context import TrainingContext
from medmodel.training.logistic_regression import (
    SoftmaxPath,
    ValidationScore,
    linear_scores,
    score_of_logs,
)
from medmodel.training.softmax_head import (
    FEWEST_UNSEEN,
    STRENGTHS,
    HeadTrainer,
    SoftmaxHead,
)


def head_trainer(
    context: TrainingContext,
    count: int = FEATURES,
    strengths: np.ndarray = STRENGTHS,
) -> HeadTrainer:
    """Of a softmax layer; of several findings, of a sigmoid layer."""
    kind = SigmoidHeadTrainer if context.config.multi_label else HeadTrainer
    return kind(context, count, strengths)


class SigmoidPath(SoftmaxPath):
    """The same for sigmoids: logistic regressions side by side, one per finding.

    Targets are (n, k) of 0 and 1; the loss is the mean over the findings, while each
    regression is as strongly regularised as it would be alone.
    """

    @staticmethod
    def _indicators(targets: np.ndarray, count: int) -> np.ndarray:
        return targets.astype(np.float32)

    def scores(self, coefficients: np.ndarray) -> np.ndarray:
        """Log-odds (s, n, k) of the images that it learns from."""
        return linear_scores(self._features, coefficients)

    def _evaluate(self, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
        kernel = coefficients[:, :-1]
        odds = linear_scores(self._features, coefficients)
        loss = np.einsum("snk,n->s", cross_entropy(odds, self._one_hot), self._shares)
        errors = (sigmoid(odds) - self._one_hot) * self._weights
        s, n, k = errors.shape
        flat = self._features.T @ errors.transpose(1, 0, 2).reshape(n, s * k)
        slope = np.empty_like(coefficients)
        slope[:, :-1] = flat.reshape(-1, s, k).transpose(1, 0, 2)
        slope[:, :-1] += self._strengths[:, None, None].astype(np.float32) * kernel
        slope[:, -1] = errors.sum(axis=1)
        squared = np.einsum("sij,sij->s", kernel, kernel, dtype=np.float64)
        # How well it ranks is told when it is reported, of the leading ones alone.
        return loss + self._strengths / 2 * squared, slope, loss / k, np.zeros(s)

    @property
    def _shares(self) -> np.ndarray:
        return self._weights[:, 0]


class SigmoidHeadTrainer(HeadTrainer):
    """Trains a sigmoid head on features, few or all of them; see `HeadTrainer`."""

    _path_class = SigmoidPath

    def __init__(
        self,
        context: TrainingContext,
        count: int = FEATURES,
        strengths: np.ndarray = STRENGTHS,
    ) -> None:
        super().__init__(context, count, strengths)
        findings = len(context.classes)
        self._leaders = np.full(findings, len(strengths) // 2)
        self._temperatures = np.ones(findings)
        self._seen: list[tuple[np.ndarray, np.ndarray]] = []

    def scores(self, head: SoftmaxHead, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, k) that a layer gives images whose features are there."""
        odds = linear_scores(self._standardised(rows), head.coefficients[None])[0]
        return sigmoid(odds)

    def solve(self, passes: int) -> tuple[SoftmaxHead, np.ndarray]:
        """As `HeadTrainer.solve`; the loss of an image is the mean over findings."""
        head = self._best_head(self._score_after(passes))
        features, targets, _weights = self._validation
        odds = linear_scores(features, head.coefficients[None])[0]
        return head, cross_entropy(odds, targets).mean(axis=1)

    def _targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.context.targets[rows], np.ones(len(rows), np.float32)

    def _score(self) -> ValidationScore:
        """The mean over findings, each with its own strength and temperature.

        A finding that all validation images have, or none, chooses nothing: it takes
        the strength that is usual among the others, and its probabilities as they are.
        """
        features, targets, weights = self._validation
        odds = linear_scores(features, self._coefficients)
        chosen = {}
        for finding in range(len(self._temperatures)):
            present = targets[:, finding].astype(int)
            if 0 < present.sum() < len(present):
                logs = _two_classes(odds[:, :, finding])
                chosen[finding] = score_of_logs(logs, present, weights)
        self._temperatures[:] = 1.0
        if chosen:
            self._leaders[:] = int(np.median([s.leader for s in chosen.values()]))
        for finding, score in chosen.items():
            self._leaders[finding] = score.leader
            self._temperatures[finding] = score.temperatures[score.leader]
        tempered = self._of_leaders(odds) * self._temperatures
        loss = float(cross_entropy(tempered, targets).mean())
        auc = mean_auc(tempered, targets)
        zero, one = np.zeros(1), np.ones(1)
        return ValidationScore(np.array([loss]), zero, np.array([auc]), one)

    def _of_leaders(self, values: np.ndarray) -> np.ndarray:
        """Of (s, m, k) values those of each finding's strength, (m, k)."""
        return np.stack([values[s, :, k] for k, s in enumerate(self._leaders)], axis=1)

    def _best_head(self, score: ValidationScore) -> SoftmaxHead:
        tempered = self._of_leaders(self._coefficients) * self._temperatures
        return SoftmaxHead(self._mean, self._scale, tempered.astype(np.float32))

    def _report_epoch(self, epoch: int, score: ValidationScore) -> None:
        assert isinstance(self._path, SigmoidPath)
        rows = self._rows("train")
        odds = self._of_leaders(self._path.scores(self._coefficients))
        targets = self.context.targets[rows]
        loss, auc = float(cross_entropy(odds, targets).mean()), mean_auc(odds, targets)
        self.step += 1
        self._report_step(epoch, loss, auc)
        row = {"epoch": epoch, "step": self.step, "loss": loss, "auc": auc}
        row |= {
            "val_loss": float(score.losses[0]),
            "val_auc": float(score.accuracies[0]),
        }
        self.context.reporter.epoch(row)
        self.context.reporter.progress("training", epoch, self.context.config.epochs)

    def _count_unseen(self, rows: np.ndarray, middle: np.ndarray) -> None:
        if not self._unseen[0]:
            self._seen = []
        odds = linear_scores(self._standardised(rows), middle)[0]
        self._seen.append((odds, self.context.targets[rows]))
        odds, targets = (
            np.concatenate(parts) for parts in zip(*self._seen, strict=True)
        )
        self._unseen = (len(odds), 0.0, 0)
        if len(odds) >= FEWEST_UNSEEN:
            loss = float(cross_entropy(odds, targets).mean())
            self._report_step(1, loss, mean_auc(odds, targets))


def sigmoid(odds: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * odds))


def cross_entropy(odds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Binary cross-entropy of log-odds, element by element."""
    return np.logaddexp(0, odds) - odds * targets


def mean_auc(odds: np.ndarray, targets: np.ndarray) -> float:
    """Mean AUC over the findings that some images have and some have not.

    Args:
        odds: (n, k) scores.
        targets: (n, k) of 0 and 1.

    Returns:
        0.5 where there is no such finding.
    """
    present = targets > 0
    measured = [k for k in range(targets.shape[1]) if 0 < present[:, k].mean() < 1]
    areas = [
        auc_components(present[:, k], odds[:, k].astype(float))[0] for k in measured
    ]
    return float(np.mean(areas)) if areas else 0.5


def _two_classes(odds: np.ndarray) -> np.ndarray:
    """Log probabilities (s, n, 2) of without and with a finding."""
    return np.stack([-np.logaddexp(0, odds), -np.logaddexp(0, -odds)], axis=2)
