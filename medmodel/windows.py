"""From measured values to grey levels: the window of a viewing station.

A window is a range of values around a centre that is spread over all grey levels;
what lies below is black, what lies above is white. Values are Hounsfield units in CT,
and whatever the scanner measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medmodel import config

Values = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Shape = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A range of values that is spread over all grey levels.

    Args:
        center: Middle of the range, in the unit of the values.
        width: Length of the range, above 0.
        shape: How values in the range become grey, see `apply_window`.
    """

    center: float
    width: float
    shape: Shape = "LINEAR"


WINDOWS: dict[str, Window] = {
    name: Window(float(center), float(width))
    for name, (center, width) in config.WINDOWS.items()
}


@dataclass(frozen=True)
class Frame:
    """One picture of a scan, before and after its window.

    Args:
        pixels: uint8 (height, width, 1 or 3): the picture as the file asks for it.
        values: float32 (height, width) in the scanner's unit, not-a-number where
            there is only padding; None for colour pictures, which have no window.
        window: What `pixels` was made with; None for colour and for a lookup table.
        inverted: Whether large values are dark (MONOCHROME1).
        frames: Pictures in the file.
        modality: CT, MR, US, ...; empty if the file does not say.
        mode: How the file stores colours: MONOCHROME2, RGB, int16, ...
    """

    pixels: Pixels
    values: Values | None
    window: Window | None
    inverted: bool
    frames: int
    modality: str
    mode: str

    def seen_through(self, window: Window) -> Pixels:
        """The picture with another window, uint8 (height, width, 1 or 3)."""
        if self.values is None:
            return self.pixels
        return show(self.values, window, self.inverted)


def apply_window(values: npt.NDArray[Any], window: Window) -> Pixels:
    """Spreads the window over 0 to 255.

    DICOM PS3.3 C.11.2.1.2.1 (LINEAR: from centre - 0.5 by width - 1, made for whole
    numbers), C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2 (LINEAR_EXACT).

    Args:
        values: Real numbers, any shape; not-a-number becomes 0.
        window: Its width must be above 0; LINEAR with a width of 1 or less is a step.

    Returns:
        uint8, the shape of `values`.
    """
    grey = np.array(values, np.float32)
    center, width = np.float32(window.center), np.float32(window.width)
    if window.shape == "LINEAR":
        center, width = center - np.float32(0.5), width - np.float32(1)
    grey -= center
    if window.shape == "SIGMOID":
        with np.errstate(over="ignore", invalid="ignore"):
            grey = 255 / (1 + np.exp(-4 * grey / width)) + np.float32(0.5)
    elif width > 0:
        with np.errstate(over="ignore", invalid="ignore"):
            grey *= 255 / width
        grey += 128  # the middle, 127.5, and half a level to round by cutting off
    else:
        grey = np.where(grey > 0, np.float32(255), np.float32(0))
    # Unlike clip, these take the number where the other value is none.
    np.fmax(grey, 0, out=grey)
    np.fmin(grey, 255, out=grey)
    return grey.astype(np.uint8)


def show(values: Values, window: Window, inverted: bool) -> Pixels:
    """Window, then inversion; padding (not-a-number) is black either way.

    Inverting before the window would mirror the window too: PS3.3 C.7.6.3.1.2 says
    that MONOCHROME1 is about the values after all lookup tables.

    Returns:
        uint8 (height, width, 1).
    """
    pixels = apply_window(values, window)
    if inverted:
        pixels = np.where(np.isnan(values), pixels, 255 - pixels)
    return pixels[..., None]


def percentile_window(
    values: npt.NDArray[Any], low: float = 0.5, high: float = 99.5
) -> Window:
    """The window between two percentiles of all finite values.

    Where nearly everything is background, so that both percentiles are equal, the
    range of all values.

    Raises:
        ValueError: All finite values are equal, or there is none.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0 or finite.min() == finite.max():
        raise ValueError("constant values have no window")
    # Beyond 4 million values a percentile of every k-th is as good, and fast.
    sample = finite[:: max(1, finite.size // 4_000_000)]
    bottom, top = np.percentile(sample, [low, high])
    if bottom == top:
        bottom, top = finite.min(), finite.max()
    return Window(float(bottom + top) / 2, float(top - bottom), "LINEAR_EXACT")
