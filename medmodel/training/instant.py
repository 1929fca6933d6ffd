"""The recipe "Instant": a softmax layer on the features of a frozen network.

While features are still being computed the layer already learns from those that are
there; that is the first epoch. Each later epoch is one pass over all features, for
every strength of regularisation at once. Nothing here is random.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import keras
import numpy as np

from medmodel.core.errors import Cancelled
from medmodel.networks.features import FEATURES, extract
from medmodel.networks.models import instant_model
from medmodel.training.checkpoint import save_model
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
FIRST_LESSON = 256
"""Images after whose features the layer learns for the first time."""
LESSON_PASSES = 6
STEP_SECONDS = 0.1


@dataclass(frozen=True)
class Head:
    """A softmax layer on features that are standardised as `(x - mean) / scale`.

    Args:
        mean: (d,) mean of each feature.
        scale: (d,) spread of each feature.
        coefficients: (d + 1, k) kernel, the last row being the bias.
    """

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray


def train_instant(material: TrainingContext) -> None:
    """Trains and saves the model; when stopped, that of what was learned until then.

    Raises:
        OSError: The disk is full or fails.
    """
    learner = Learner(material)
    # Features that were there before a stop may already make a model.
    with contextlib.suppress(Cancelled):
        extract(
            material.prepared,
            material.preprocessing,
            on_batch=learner.take,
            job=material.reporter.job,
        )
    head = learner.learn_epochs(material.config.epochs)
    if head is not None:
        model = model_of(material, head)
        save_model(material.run, model, material.classes, material.preprocessing)


def model_of(material: TrainingContext, head: Head) -> keras.Model:
    """The whole network from pixels to probabilities."""
    kernel, bias = head.coefficients[:-1], head.coefficients[-1]
    return instant_model(material.preprocessing, head.mean, head.scale, kernel, bias)


class Learner:
    """Learns from features, few or all of them.

    Args:
        material: The run; images of train teach, those of val choose.
        count: Features per image.
    """

    def __init__(self, material: TrainingContext, count: int = FEATURES) -> None:
        self.material = material
        self.step = material.reporter.status.step
        self._features = np.empty((len(material.targets), count), np.float16)
        self._seen = np.zeros(len(material.targets), bool)
        self._split = material.prepared.table["split"].to_numpy()
        self._lesson = FIRST_LESSON
        self._reported = 0.0
        self._path: SoftmaxPath | None = None
        self._validation = (np.zeros(0), np.zeros(0), np.zeros(0))
        shape = (count + 1, len(material.classes))
        self._coefficients = np.zeros((len(STRENGTHS), *shape), np.float32)
        self._mean = np.zeros(count, np.float32)
        self._scale = np.ones(count, np.float32)

    def take(self, rows: np.ndarray, features: np.ndarray) -> None:
        """New features: the layer is asked about them first, then learns from them.

        Lessons come at fixed numbers of rows, so that the result does not depend on
        how fast features come, or in which portions.

        Args:
            rows: (b,) row numbers among the prepared images.
            features: (b, d).
        """
        while len(rows):
            count = min(len(rows), self._lesson - int(self._seen.sum()))
            self._features[rows[:count]] = features[:count]
            self._seen[rows[:count]] = True
            self._ask(rows[:count])
            rows, features = rows[count:], features[count:]
            taken = int(self._seen.sum())
            if taken == self._lesson:
                # Ever longer ways to the next one: all lessons together then cost
                # about as much as three on everything.
                self._lesson += max(FIRST_LESSON, taken // 2)
                self._begin()
                for _ in range(LESSON_PASSES):
                    self._advance()

    def learn_epochs(self, epochs: int) -> Head | None:
        """Passes over the features that are there; each is reported as an epoch.

        Their arrival was the first epoch, so one pass less is made.

        Returns:
            The layer to keep; None if there was nothing to learn from.
        """
        if not (self._rows("train").size and self._rows("val").size):
            return None
        verdict = self._settle(0)
        lowest, found = np.inf, 1
        for epoch in range(1, epochs + 1):
            if epoch > 1:
                self._advance()
                verdict = self._judge()
            self._report_epoch(epoch, verdict)
            if verdict.losses.min() < lowest:
                lowest, found = verdict.losses.min(), epoch
            if self.material.reporter.stop_requested:
                break
            if 0 < self.material.config.patience <= epoch - found:
                break
        return self._head(verdict)

    def learn(self, passes: int) -> tuple[Head, np.ndarray]:
        """The same without a word: the layer to keep, and its log losses.

        Args:
            passes: Over the features that are there.

        Returns:
            The layer, and the weighted log loss of every validation image, in the
            order of the prepared images.
        """
        verdict = self._settle(passes)
        head, (features, targets, weights) = self._head(verdict), self._validation
        logs = log_probabilities(features, head.coefficients[None])[0]
        losses = -logs[np.arange(len(targets)), targets] * weights
        return head, losses / weights.mean()

    def _settle(self, passes: int) -> ValidationScore:
        self._begin()
        rows = self._rows("val")
        targets = self.material.targets[rows]
        weights = self.material.weights[targets]
        self._validation = (self._standard(rows), targets, weights)
        for _ in range(passes):
            self._advance()
        return self._judge()

    def _judge(self) -> ValidationScore:
        return validation_score(self._coefficients, *self._validation)

    def _head(self, verdict: ValidationScore) -> Head:
        leader = verdict.leader
        tempered = self._coefficients[leader] * verdict.temperatures[leader]
        return Head(self._mean, self._scale, tempered.astype(np.float32))

    def _begin(self) -> None:
        """Starts on all training features that are there, with what is known."""
        rows = self._rows("train")
        if not rows.size:
            return
        known = self._features[rows].astype(np.float32)
        mean, scale = known.mean(axis=0), known.std(axis=0)
        # A feature that never changes says nothing and must not be blown up.
        scale = np.where(scale > 1e-4, scale, 1.0).astype(np.float32)
        # The same function of the raw features in the new units.
        kernel = self._coefficients[:, :-1] / self._scale[:, None]
        shift = np.einsum("d,sdk->sk", mean - self._mean, kernel)
        self._coefficients[:, -1] += shift
        self._coefficients[:, :-1] = kernel * scale[:, None]
        self._mean, self._scale = mean, scale
        known -= mean
        known /= scale
        targets = self.material.targets[rows]
        weights = self.material.weights[targets]
        self._path = SoftmaxPath(known, targets, weights, STRENGTHS, self._coefficients)

    def _advance(self) -> None:
        if self._path is not None:
            self._path.advance()
            self._coefficients = self._path.coefficients.copy()

    def _ask(self, rows: np.ndarray) -> None:
        """Reports the loss on new training images, before learning from them."""
        rows = rows[self._split[rows] == "train"]
        now = time.monotonic()
        if not rows.size or now - self._reported < STEP_SECONDS:
            return
        self._reported = now
        middle = self._coefficients[len(STRENGTHS) // 2][None]
        logs = log_probabilities(self._standard(rows), middle)[0]
        targets = self.material.targets[rows]
        loss = -logs[np.arange(len(rows)), targets].mean()
        self._report_step(1, float(loss), float((logs.argmax(1) == targets).mean()))

    def _report_epoch(self, epoch: int, verdict: ValidationScore) -> None:
        assert self._path is not None
        leader, reporter = verdict.leader, self.material.reporter
        loss, accuracy = self._path.loss[leader], self._path.accuracy[leader]
        self._report_step(epoch, float(loss), float(accuracy))
        row = {
            "epoch": epoch,
            "step": self.step,
            "loss": float(loss),
            "accuracy": float(accuracy),
            "val_loss": float(verdict.losses[leader]),
            "val_accuracy": float(verdict.accuracies[leader]),
        }
        reporter.epoch(row)
        reporter.progress("training", epoch, self.material.config.epochs)
        reporter.update(best_epoch=epoch)

    def _report_step(self, epoch: int, loss: float, accuracy: float) -> None:
        self.step += 1
        self.material.reporter.step(
            step=self.step, epoch=epoch, loss=loss, accuracy=accuracy
        )

    def _rows(self, split: str) -> np.ndarray:
        return np.flatnonzero((self._split == split) & self._seen)

    def _standard(self, rows: np.ndarray) -> np.ndarray:
        return (self._features[rows].astype(np.float32) - self._mean) / self._scale
