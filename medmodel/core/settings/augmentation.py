"""Augmentation: how far training images are changed at random."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images; all zero means none.

    Flips are off by default: in medical images left and right matter.

    Args:
        shift: Largest shift as a fraction of height and width, 0 to 0.5.
        rotation: Largest rotation in degrees, 0 to 180.
        zoom: Largest change of scale as a fraction, 0 to 0.5.
        brightness: Largest change of brightness as a fraction of white, 0 to 0.5.
        contrast: Largest change of contrast as a fraction, 0 to 0.9.
        flip_horizontal: Whether left and right may be exchanged.
        flip_vertical: Whether top and bottom may be exchanged.
        corruption: Share of the training images that get one corruption, of any kind
            and strength of the corruption test, 0 to 1.
    """

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    corruption: float = 0.0

    @property
    def interpolates(self) -> bool:
        """Whether images are moved by what is between pixels, which blurs them."""
        return bool(self.shift or self.rotation or self.zoom)

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()


KEPT_SHARP = 0.25
"""Share of the training images that augmentation does not interpolate.

Images to be judged come sharp. A network that has met only interpolated ones, which are
slightly blurred, takes sharp ones for something else: see docs/quality.md."""
MEDICAL_AUGMENTATION = Augmentation(
    shift=0.05, rotation=7.0, zoom=0.08, brightness=0.08, contrast=0.1
)
LARGEST_CHANGES: dict[str, float] = {
    **{"shift": 0.5, "rotation": 180.0, "zoom": 0.5, "brightness": 0.5},
    **{"contrast": 0.9, "corruption": 1.0},
}
"""Field of `Augmentation` that is a number -> its largest value."""
