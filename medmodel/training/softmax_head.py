"""Softmax head: multinomial logistic regression on features, its regularisation chosen.

All recipes solve their last layer here: Instant while features are still being
computed (the layer already learns from those that are there), fine-tuning before the
first epoch, and the choice of the input size. Every pass is over all features, for
every strength of regularisation at once. Nothing here is random.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from medmodel.networks.features import FEATURES
from medmodel.training.context import TrainingContext
from medmodel.training.logistic_regression import (
    SoftmaxPath,
    ValidationScore,
    log_probabilities,
    validation_score,
)

STRENGTHS = 2.0 ** np.arange(2, -8.5, -0.5)
"""Candidate strengths of regularisation, from strong to weak; so close to each other
that the choice hardly depends on where they happen to lie."""
FIRST_FIT = 256
"""Images after whose features the layer learns for the first time."""
FEWEST_UNSEEN = 16
"""Images whose mean loss makes a point of the curve, at least."""
FIT_PASSES = 6
STEP_SECONDS = 0.1
AT_ONCE = 1024
"""Images that are looked at together, beside training: few take little memory."""


@dataclass(frozen=True)
class SoftmaxHead:
    """A softmax layer on features that are standardised as `(x - mean) / scale`.

    Args:
        mean: (d,) mean of each feature.
        scale: (d,) spread of each feature.
        coefficients: (d + 1, k) kernel, the last row being the bias.
        strength: Of its regularisation.
    """

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    strength: float = 0.0

    @property
    def dense_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel (d, k) and bias (k,) with the standardisation folded in."""
        kernel = self.coefficients[:-1].astype(np.float64) / self.scale[:, None]
        return kernel, self.coefficients[-1] - self.mean.astype(np.float64) @ kernel

    def widened(self, count: int) -> SoftmaxHead:
        """The same layer for `count` features, of which it uses its own, the first."""
        more = count - len(self.mean)
        return replace(
            self,
            mean=np.pad(self.mean, (0, more)),
            scale=np.pad(self.scale, (0, more), constant_values=1),
            coefficients=np.insert(
                self.coefficients, [len(self.mean)] * more, 0, axis=0
            ),
        )


class HeadTrainer:
    """Trains a softmax head on features, few or all of them.

    Args:
        context: The run; images of train teach, those of val choose.
        count: Features per image.
        strengths: Of regularisation, among which validation images choose.
    """

    _path_class = SoftmaxPath

    def __init__(
        self,
        context: TrainingContext,
        count: int = FEATURES,
        strengths: np.ndarray = STRENGTHS,
    ) -> None:
        self.context = context
        self._strengths = strengths
        self.step = self._reported_step = context.reporter.status.step
        self._first_step, self._training = self.step, 0
        self._features = np.empty((len(context.targets), count), np.float16)
        self._present = np.zeros(len(context.targets), bool)
        self._split = context.prepared.table["split"].to_numpy()
        self._next_fit = FIRST_FIT
        self._reported = 0.0
        self._unseen = (0, 0.0, 0)
        self._path: SoftmaxPath | None = None
        self._validation = (np.zeros(0), np.zeros(0), np.zeros(0))
        shape = (count + 1, len(context.classes))
        self._coefficients = np.zeros((len(strengths), *shape), np.float32)
        self._mean = np.zeros(count, np.float32)
        self._scale = np.ones(count, np.float32)

    def add_features(self, rows: np.ndarray, features: np.ndarray) -> None:
        """Adds features: the layer is asked about them first, then learns from them.

        It learns at fixed numbers of rows, so that the result does not depend on
        how fast features come, or in which portions.

        Args:
            rows: (b,) row numbers among the prepared images.
            features: (b, d).
        """
        while len(rows):
            count = min(len(rows), self._next_fit - int(self._present.sum()))
            self._features[rows[:count]] = features[:count]
            self._present[rows[:count]] = True
            # As many as batches would have been: neither time nor portions count.
            self._training += int((self._split[rows[:count]] == "train").sum())
            batches = -(-self._training // self.context.config.batch_size)
            self.step = self._first_step + batches
            self._report_new(rows[:count])
            rows, features = rows[count:], features[count:]
            taken = int(self._present.sum())
            if taken == self._next_fit:
                # Ever longer ways to the next fit: all of them together then cost
                # about as much as three on everything.
                self._next_fit += max(FIRST_FIT, taken // 2)
                self._unseen = (0, 0.0, 0)
                self._restart()
                for _ in range(FIT_PASSES):
                    self._advance()

    def has_features(self, rows: np.ndarray) -> bool:
        """Whether there are images, and the features of all of them are there."""
        return bool(len(rows) and self._present[rows].all())

    def scores(self, head: SoftmaxHead, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, k) that a layer gives images whose features are there."""
        logs = log_probabilities(self._standardised(rows), head.coefficients[None])[0]
        return np.exp(logs)

    def class_means(self) -> np.ndarray:
        """Mean standardised features (k, d) of each class's training images."""
        train, count = self._rows("train"), len(self.context.classes)
        sums = np.zeros((count, self._features.shape[1]))
        for start in range(0, len(train), AT_ONCE):
            rows = train[start : start + AT_ONCE]
            one_hot = np.eye(count, dtype=np.float32)[self.context.targets[rows]]
            sums += one_hot.T @ self._standardised(rows)
        images = np.bincount(self.context.targets[train], minlength=count)
        return sums / np.maximum(images, 1)[:, None]

    def distances(self, rows: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Distance (n,) of images from the nearest of some means (k, d).

        Root mean square of the differences of standardised features.
        """
        features = self._standardised(rows)
        squares = (features**2).mean(1)[:, None] + (means**2).mean(1)
        squares -= 2 * features @ means.T / features.shape[1]
        nearest: np.ndarray = np.sqrt(np.maximum(squares.min(axis=1), 0))
        return nearest

    def train_epochs(
        self,
        epochs: int,
        on_epoch: Callable[[int, SoftmaxHead], None] | None = None,
    ) -> SoftmaxHead | None:
        """Passes over the features that are there; each is reported as an epoch.

        Their arrival was the first epoch, so one pass less is made.

        Args:
            epochs: How many at most.
            on_epoch: Told the number of each epoch, from 1, and its layer.

        Returns:
            The layer of the epoch with the lowest validation loss; None if there was
            nothing to learn from.
        """
        if not (self._rows("train").size and self._rows("val").size):
            return None
        score = self._score_after(0)
        lowest, best_epoch, best = np.inf, 0, None
        for epoch in range(1, epochs + 1):
            if epoch > 1:
                self._advance()
                score = self._score()
            loss, head = float(score.losses[score.leader]), self._best_head(score)
            if best is None or loss < lowest:
                lowest, best_epoch, best = loss, epoch, head
            self._report_epoch(epoch, score)
            if on_epoch:
                on_epoch(epoch, head)
            self.context.reporter.update(best_epoch=best_epoch)
            if self.context.reporter.stop_requested:
                break
            if 0 < self.context.config.patience <= epoch - best_epoch:
                break
        return best

    def solve(self, passes: int) -> tuple[SoftmaxHead, np.ndarray]:
        """As `train_epochs` without reports: the layer to keep, and its log losses.

        Args:
            passes: Over the features that are there.

        Returns:
            The layer, and the weighted log loss of every validation image, in the
            order of the prepared images.
        """
        score = self._score_after(passes)
        head, (features, targets, weights) = self._best_head(score), self._validation
        logs = log_probabilities(features, head.coefficients[None])[0]
        losses = -logs[np.arange(len(targets)), targets] * weights
        return head, losses / weights.mean()

    def _score_after(self, passes: int) -> ValidationScore:
        self._restart()
        rows = self._rows("val")
        targets, weights = self._targets_of(rows)
        self._validation = (self._standardised(rows), targets, weights)
        for _ in range(passes):
            self._advance()
        return self._score()

    def _score(self) -> ValidationScore:
        return validation_score(self._coefficients, *self._validation)

    def _best_head(self, score: ValidationScore) -> SoftmaxHead:
        leader = score.leader
        tempered = self._coefficients[leader] * score.temperatures[leader]
        strength = float(self._strengths[leader])
        return SoftmaxHead(
            self._mean, self._scale, tempered.astype(np.float32), strength
        )

    def _restart(self) -> None:
        """Starts on all training features that are there, with what is known."""
        rows = self._rows("train")
        if not rows.size:
            return
        features = self._features[rows].astype(np.float32)
        mean, scale = features.mean(axis=0), features.std(axis=0)
        # A feature that never changes says nothing and must not be blown up.
        scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
        # The same function of the raw features in the new units.
        kernel = self._coefficients[:, :-1] / self._scale[:, None]
        shift = np.einsum("d,sdk->sk", mean - self._mean, kernel)
        self._coefficients[:, -1] += shift
        self._coefficients[:, :-1] = kernel * scale[:, None]
        self._mean, self._scale = mean, scale
        features -= mean
        features /= scale
        targets, weights = self._targets_of(rows)
        self._path = self._path_class(
            features, targets, weights, self._strengths, self._coefficients
        )

    def _targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classes of some images, and what each counts."""
        targets = self.context.targets[rows]
        return targets, self.context.weights[targets]

    def _advance(self) -> None:
        if self._path is not None:
            self._path.advance()
            self._coefficients = self._path.coefficients.copy()

    def _report_new(self, rows: np.ndarray) -> None:
        """Reports the loss on training images from which the layer has not learned.

        Their mean since the last fit (progressive validation: Blum, Kalai and Langford
        1999, COLT): one portion alone, of a few images, would only show chance.
        """
        rows = rows[self._split[rows] == "train"]
        now = time.monotonic()
        new = rows.size and self.step > self._reported_step
        if not new or now - self._reported < STEP_SECONDS:
            return
        self._reported = now
        self._count_unseen(rows, self._coefficients[len(self._strengths) // 2][None])

    def _count_unseen(self, rows: np.ndarray, middle: np.ndarray) -> None:
        """Adds images to those not learned from; reports where they are enough."""
        logs = log_probabilities(self._standardised(rows), middle)[0]
        targets = self.context.targets[rows]
        count, loss, hits = self._unseen
        count += len(rows)
        loss -= float(logs[np.arange(len(rows)), targets].sum())
        hits += int((logs.argmax(1) == targets).sum())
        self._unseen = (count, loss, hits)
        if count >= FEWEST_UNSEEN:
            self._report_step(1, loss / count, hits / count)

    def _report_epoch(self, epoch: int, score: ValidationScore) -> None:
        assert self._path is not None
        leader, reporter = score.leader, self.context.reporter
        loss, accuracy = self._path.loss[leader], self._path.accuracy[leader]
        self.step += 1
        self._report_step(epoch, float(loss), float(accuracy))
        row = {
            "epoch": epoch,
            "step": self.step,
            "loss": float(loss),
            "accuracy": float(accuracy),
            "val_loss": float(score.losses[leader]),
            "val_accuracy": float(score.accuracies[leader]),
        }
        reporter.epoch(row)
        reporter.progress("training", epoch, self.context.config.epochs)

    def _report_step(self, epoch: int, loss: float, accuracy: float) -> None:
        self._reported_step = self.step
        self.context.reporter.step(
            step=self.step, epoch=epoch, loss=loss, metric=accuracy
        )

    def _rows(self, split: str) -> np.ndarray:
        return np.flatnonzero((self._split == split) & self._present)

    def _standardised(self, rows: np.ndarray) -> np.ndarray:
        return (self._features[rows].astype(np.float32) - self._mean) / self._scale
