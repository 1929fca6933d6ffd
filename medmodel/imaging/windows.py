"""From measured values to grey levels: the window of a viewing station.

A window is a range of values around a centre that is spread over all grey levels;
what lies below is black, what lies above is white. Values are Hounsfield units in CT,
and whatever the scanner measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from medmodel.core import preprocessing
from medmodel.core.errors import ImageError
from medmodel.imaging.lut import SAMPLE

Values = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Shape = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
Counts = Callable[[], npt.NDArray[np.intp]]


class Window(NamedTuple):
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
    for name, (center, width) in preprocessing.WINDOWS.items()
}


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
    values: npt.NDArray[Any],
    low: float = 0.5,
    high: float = 99.5,
    counts: Counts | None = None,
) -> Window:
    """The window between two percentiles of all finite values.

    Where nearly everything is background, so that both percentiles are equal, the
    range of all values.

    Args:
        values: Real numbers, any shape.
        low: Percentile that becomes black.
        high: Percentile that becomes white.
        counts: Tells how often each of the values occurs; default once.

    Raises:
        ValueError: All finite values are equal, or there is none.
    """
    is_finite = np.isfinite(values)
    finite = values[is_finite].astype(np.float64)
    if finite.size == 0 or finite.min() == finite.max():
        raise ValueError("constant values have no window")
    if counts is None:
        sample = finite[:: max(1, finite.size // SAMPLE)]
        bottom, top = np.percentile(sample, [low, high])
    else:
        order = np.argsort(finite, kind="stable")
        upto = counts()[is_finite][order].cumsum()
        bottom, top = (_percentile(finite[order], upto, q) for q in (low, high))
    if bottom == top:
        bottom, top = finite.min(), finite.max()
    return Window(float(bottom + top) / 2, float(top - bottom), "LINEAR_EXACT")


def _percentile(
    values: npt.NDArray[Any], upto: npt.NDArray[Any], per_cent: float
) -> Any:
    """The same as `np.percentile`, to the last bit, of values that occur often.

    Args:
        values: Rising.
        upto: How many there are up to and with each.
        per_cent: 0 to 100.
    """
    place = (upto[-1] - 1) * (per_cent / 100)
    before = int(place)
    after = min(before + 1, int(upto[-1]) - 1)
    left, right = values[np.searchsorted(upto, [before, after], "right")]
    part = place - before
    if part < 0.5:
        return left + (right - left) * part
    return right - (right - left) * (1 - part)


def default_window(
    values: Values,
    modality: str,
    intercept: float | None = None,
    counts: Counts | None = None,
) -> Window:
    """Soft tissue for CT in Hounsfield units, else the 0.5th to 99.5th percentile.

    Air is -1000 HU: values are taken for Hounsfield units where they, or the rescale
    intercept by which the file makes them, reach far enough below 0.
    """
    window = WINDOWS["soft tissue"]
    lowest = min(float(np.nanmin(values)), float(intercept or 0))
    if modality == "CT" and lowest < -500:
        grey = apply_window(values, window)
        if grey.min() != grey.max():
            return window
    return percentile_window(values, counts=counts)


def scale_to_uint8(values: npt.NDArray[Any], name: str) -> Pixels:
    """Maps the 0.5th to 99.5th percentile of all finite values to 0 to 255.

    Scaled by the range of the type, a 12-bit image in a 16-bit file would be black.

    Args:
        values: Any real numbers, any shape; not-a-number becomes black.
        name: For the message.

    Raises:
        ImageError: There is no finite value.
    """
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise ImageError(f"{name} holds no finite pixel value.")
    low, high = np.percentile(values[finite], [0.5, 99.5])
    if low == high:
        # Nearly everything is background: keep the little there is.
        low, high = values[finite].min(), values[finite].max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values / 2 - low / 2) / (high / 2 - low / 2) * 255
    scaled = np.where(finite, scaled, 0).clip(0, 255)
    return scaled.round().astype(np.uint8)
