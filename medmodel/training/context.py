"""Training context: run, settings, prepared pixels, reporter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.multi_label.findings import findings_of, indicators
from medmodel.data.prepared import Prepared
from medmodel.data.segmentation.prepared_masks import PreparedMasks
from medmodel.networks.multi_label import MultiLabelSamples
from medmodel.networks.pipeline import MaskedSamples, Samples, balanced_weights
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run


def class_names(labels: Iterable[str], multi_label: bool) -> list[str]:
    """Names of the outputs: the classes that occur, or the findings."""
    return findings_of(labels) if multi_label else sorted(set(labels))


@dataclass(frozen=True)
class TrainingContext:
    """One run with its prepared images.

    Args:
        run: The run's folder.
        config: Its settings.
        reporter: Takes progress, steps and epochs; says when to stop.
        classes: Names, in the order of the outputs.
        preprocessing: With which the images were prepared.
        prepared: Pixels, and a table with the columns path, label, patient, split.
        masks: Of a segmentation, one for each of the pixels; else None. Its classes
            then begin with the background.
    """

    run: Run
    config: TrainConfig
    reporter: StatusWriter
    classes: list[str]
    preprocessing: Preprocessing
    prepared: Prepared
    masks: PreparedMasks | None = None

    @cached_property
    def targets(self) -> np.ndarray:
        """(n,) class number of every prepared image.

        Of several findings, (n, k) float32: 1 where an image has the finding, else 0.
        """
        if self.config.multi_label:
            combinations = self.prepared.table["label"].tolist()
            return indicators(combinations, self.classes).astype(np.float32)
        numbers = {name: number for number, name in enumerate(self.classes)}
        labels = self.prepared.table["label"]
        return np.array([numbers[label] for label in labels], dtype=np.int64)

    @property
    def mask_values(self) -> list[int]:
        """Value in masks of each class, the background's 0 first; else empty."""
        return [0, *self.masks.values] if self.masks else []

    @cached_property
    def weights(self) -> np.ndarray:
        """(k,) what an image of each class counts, in training and validation."""
        if self.config.multi_label or not self.config.class_weights:
            return np.ones(len(self.classes), np.float32)
        labels = self.targets[self.rows("train")]
        return np.array(balanced_weights(labels, len(self.classes)), np.float32)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending."""
        return np.flatnonzero((self.prepared.table["split"] == split).to_numpy())

    def samples(self, split: str) -> Samples | MaskedSamples:
        """The images of a split, for `pipeline`."""
        rows = self.rows(split)
        if self.masks is not None:
            pixels, numbers = self.prepared.pixels, self.masks.class_numbers
            return MaskedSamples(pixels, self.masks.pixels, rows, numbers)
        if self.config.multi_label:
            pixels, count = self.prepared.pixels, len(self.classes)
            return MultiLabelSamples(pixels, rows, self.targets[rows], count)
        return Samples(
            self.prepared.pixels,
            rows,
            self.targets[rows],
            len(self.classes),
            self.weights.tolist(),
        )
