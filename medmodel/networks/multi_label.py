"""Several findings on one image: batches of them, and their mean AUC in training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from medmodel.networks.pipeline import Samples

BINS, WIDEST = 2000, 12.0
"""Bins of log-odds from -`WIDEST` to `WIDEST`: images in one bin count as ties."""


class MultiLabelSamples(Samples):
    """Some images of a prepared data set, with the findings of each.

    `labels` is (n, num_classes) float32: 1 where the image has the finding, else 0.
    """

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images, findings and weights of 1 of samples `chosen`, 0 to n - 1."""
        chosen = chosen[np.argsort(self.rows[chosen])]
        ones = np.ones(len(chosen), np.float32)
        return self.pixels[self.rows[chosen]], self.labels[chosen], ones


class MeanAUC(keras.metrics.Metric):
    """Mean over findings of the area under the ROC curve, of an epoch so far.

    Findings of which there was no image with, or none without, are left out; before
    there is any, it is 0.5. Scores are counted in bins of log-odds, so that what a
    batch adds does not grow with the epoch.

    Args:
        findings: How many there are.
        name: Its column in the tables.
    """

    def __init__(self, findings: int, name: str = "auc", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.findings = findings
        shape = (findings, BINS)
        self.with_finding = self.add_variable(shape, "zeros", name="with_finding")
        self.without = self.add_variable(shape, "zeros", name="without")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch: (n, findings) of 0 and 1, and of probabilities."""
        truth = ops.cast(y_true, "float32")
        score = ops.clip(ops.cast(y_pred, "float32"), 1e-7, 1 - 1e-7)
        odds = ops.log(score) - ops.log(1 - score)
        share = (odds + WIDEST) / (2 * WIDEST)
        place = ops.cast(ops.clip(share * BINS, 0, BINS - 1), "int32")
        bins = place + BINS * ops.arange(self.findings, dtype="int32")
        self.with_finding.assign_add(self._counted(bins, truth))
        self.without.assign_add(self._counted(bins, 1 - truth))

    def _counted(self, bins: Any, images: Any) -> Any:
        """Images in each bin of each finding."""
        total = self.findings * BINS
        flat = ops.segment_sum(
            ops.reshape(images, (-1,)), ops.reshape(bins, (-1,)), total
        )
        return ops.reshape(flat, (self.findings, BINS))

    def result(self) -> Any:
        """The mean so far."""
        inside, outside = self.with_finding, self.without
        lower = ops.cumsum(outside, axis=1) - outside
        won = ops.sum(inside * (lower + outside / 2), axis=1)
        pairs = ops.sum(inside, axis=1) * ops.sum(outside, axis=1)
        measured = ops.cast(pairs > 0, "float32")
        area = won / ops.maximum(pairs, 1.0) * measured
        count = ops.sum(measured)
        mean = ops.sum(area) / ops.maximum(count, 1.0)
        return ops.where(count > 0, mean, 0.5)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {**super().get_config(), "findings": self.findings}
