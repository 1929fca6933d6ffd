"""How an image stands to the training images, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH_VALIDATION = 30
ENOUGH_UNITS = 130
"""Validation images, and images or patients in all, with which all images of another
kind and at worst 98.6 % of those of another body part were refused on public images
(benchmark row `refusals`); with fewer, as a mean of draws, 74 % of the latter."""


@dataclass(frozen=True)
class Neighbour:
    """A training image that resembles an image.

    Args:
        path: Within the data set.
        label: Its class.
        distance: 1 is how far a validation image usually is from its nearest one.
    """

    path: str
    label: str
    distance: float


@dataclass(frozen=True)
class ThresholdBasis:
    """On which images a threshold rests, and how well it is known.

    Args:
        validation: Validation images that were judged.
        training: Training images that were judged without themselves; 0 for models
            that were trained by a version that did not do so.
        units: Patients (images, where unknown) among all of them.
        low: Lower end of the 95 % interval of the share of familiar images that lie
            beyond the threshold.
        high: Its upper end.
    """

    validation: int
    training: int
    units: int
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether images of another kind are refused reliably."""
        return self.validation >= ENOUGH_VALIDATION and self.units >= ENOUGH_UNITS


@dataclass(frozen=True)
class OodResult:
    """How an image stands to the training images.

    Args:
        farther_than: Share of the judged images (see `basis`) that are nearer, 0 to 1.
        is_ood: Whether it lies beyond the threshold.
        facts: What is different before any network sees it, in sentences.
        neighbours: The nearest training images, nearest first.
        basis: On which images the threshold rests.
        distance: To order images by, the farthest last; see `OodDetector.distances`.
    """

    farther_than: float
    is_ood: bool
    facts: list[str]
    neighbours: list[Neighbour]
    basis: ThresholdBasis
    distance: float = 0.0

    @property
    def unfamiliar(self) -> bool:
        """Whether the model should not be asked about it."""
        return self.is_ood or bool(self.facts)
