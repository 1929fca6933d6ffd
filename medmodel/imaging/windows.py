"""From measured values to grey levels: the window of a viewing station.

A window is a range of values around a centre that is spread over all grey levels;
what lies below is black, what lies above is white. Values are Hounsfield units in CT,
and whatever the scanner measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from medmodel.core import preprocessing
from medmodel.core.errors import ImageError
from medmodel.imaging.lut import SAMPLE
from medmodel.language import _

Values = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Shape = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
Counts = Callable[[], npt.NDArray[np.intp]]

_PERCENTILES = (0.5, 99.5)
_BAND = 2**20
"""Values that are scaled at a time."""
_MOST_VALUES = 2**25
"""Pixels up to which values are sent to a viewer: the copies of more fill a sandbox."""
_FEW = 2**17
"""Values up to which a table of all that a type can hold would not pay."""


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


def values_and_window(
    samples: npt.NDArray[Any], inverted: bool = False
) -> dict[str, Any]:
    """What a viewer needs to show grey of many bits through other windows.

    Args:
        samples: Real numbers (height, width) that `scale_to_uint8` made grey.
        inverted: Whether large values are dark.

    Returns:
        Fields of `DecodedImage`; none where all values are equal, and of images that
        are too large.
    """
    if samples.size > _MOST_VALUES:
        return {}
    values = samples.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    try:
        window = percentile_window(values)
    except ValueError:
        return {}
    return {"values": values, "window": window, "inverted": inverted}


def scale_to_uint8(
    values: npt.NDArray[Any], name: str, inverted: bool = False
) -> Pixels:
    """Maps the 0.5th to 99.5th percentile of all finite values to 0 to 255.

    Scaled by the range of the type, a 12-bit image in a 16-bit file would be black.
    Beyond the result little memory is taken: large images are scaled in bands.

    Args:
        values: Any real numbers, any shape; not-a-number and infinity become black.
        name: For the message.
        inverted: Whether large values are dark.

    Raises:
        ImageError: There is no finite value.
    """
    values = np.ascontiguousarray(values)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    flat = values.reshape(-1)
    pixels = np.empty(flat.size, np.uint8)
    if flat.dtype.kind in "iub" and flat.itemsize <= 2 and flat.size > _FEW:
        # Of so many values most occur often: each is worked out once.
        unsigned = np.dtype(f"u{flat.itemsize}")
        every = np.arange(256**flat.itemsize).astype(unsigned).view(flat.dtype)
        counts = _occurrences(flat.view(unsigned), every.size)
        order = np.argsort(every, kind="stable")
        low, high = _range(every[order], counts[order])
        table = _grey_levels(every, low, high, inverted)
        for band in bands(flat.size):
            pixels[band] = table[flat.view(unsigned)[band]]
    else:
        low, high = _sampled_range(flat, name)
        for band in bands(flat.size):
            pixels[band] = _grey_levels(flat[band], low, high, inverted)
    return pixels.reshape(values.shape)


def bands(size: int) -> Iterator[slice]:
    """Slices that together hold so many values, each of moderate size."""
    for first in range(0, size, _BAND):
        yield slice(first, first + _BAND)


def _occurrences(values: npt.NDArray[Any], most: int) -> npt.NDArray[np.intp]:
    counts = np.zeros(most, np.intp)
    for band in bands(values.size):
        counts += np.bincount(values[band], minlength=most)
    return counts


def _range(
    values: npt.NDArray[Any], counts: npt.NDArray[np.intp]
) -> tuple[float, float]:
    """What becomes black and white of rising values that occur so often."""
    occurring = values[counts > 0].astype(np.float64)
    upto = counts[counts > 0].cumsum()
    low, high = (float(_percentile(occurring, upto, q)) for q in _PERCENTILES)
    return (low, high) if low < high else (float(occurring[0]), float(occurring[-1]))


def _sampled_range(values: npt.NDArray[Any], name: str) -> tuple[float, float]:
    """The same of any values in any order; of very many, a sample is looked at."""
    step = max(1, values.size // SAMPLE)
    step += step % 3 == 0  # else it would be of one colour alone
    sample = values[::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, _PERCENTILES) if sample.size else (0.0, 0.0)
    if low < high:
        return float(low), float(high)
    # Nearly everything is background: keep the little there is.
    ends = []
    for band in bands(values.size):
        finite = values[band][np.isfinite(values[band])]
        ends += [float(finite.min()), float(finite.max())] if finite.size else []
    if not ends:
        raise ImageError(_("{name} holds no finite pixel value.", name=name))
    return min(ends), max(ends)


def _grey_levels(
    values: npt.NDArray[Any], low: float, high: float, inverted: bool
) -> Pixels:
    if low == high:
        return np.zeros(values.shape, np.uint8)
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values / 2 - low / 2) / (high / 2 - low / 2) * 255
    scaled = np.where(finite, scaled, 0).clip(0, 255).round()
    if inverted:
        scaled = np.where(finite, 255 - scaled, 0)
    return scaled.astype(np.uint8)
