"""Every stored value once: what is done to values need not be done to each pixel.

An image of 16-bit values has at most 65,536 different ones, mostly far fewer than
pixels. Rescaled, seen through a window and inverted once each, they make a table in
which the pixels are looked up: the same image, several times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FEWEST_PIXELS = 4096
"""Smaller images are as fast without a table."""
_AT_ONCE = 65_536
"""Pixels looked up at once: NumPy widens their places to 64 bits in between."""
SAMPLE = 4_000_000
"""Beyond so many pixels every k-th is as good for percentiles, and fast."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LookupTable:
    """The values between the smallest and the largest of an image, and its padding.

    Args:
        stored: (height, width), whole numbers of 8 or 16 bits.
        inside: Those of them that are no padding.
        values: (1, n) of the same type, each value once.
    """

    stored: Array
    inside: Array
    values: Array

    def counts(self) -> npt.NDArray[np.intp]:
        """How often each of `values` occurs in a sample, (1, n); padding does not."""
        sample = self.inside.ravel()[:: max(1, self.inside.size // SAMPLE)]
        occurrences = np.bincount(_places(sample), minlength=_kinds(sample))
        return occurrences[_places(self.values)]

    def image(self, pixels: Array) -> Array:
        """What became of `values`, in the place of each pixel.

        Args:
            pixels: uint8 (1, n, 1).

        Returns:
            uint8 (height, width, 1).
        """
        table = np.zeros(_kinds(self.stored), np.uint8)
        table[_places(self.values)] = pixels[..., 0]
        places = _places(np.ascontiguousarray(self.stored)).ravel()
        pixels_of_image = np.empty(self.stored.shape, np.uint8)
        flat = pixels_of_image.ravel()
        for first in range(0, len(flat), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            # No place lies outside; of all modes this one asks in the shortest time.
            table.take(places[part], out=flat[part], mode="wrap")
        return pixels_of_image[..., None]


def lookup_table(
    stored: Array, padding: Callable[[Array], Array | None]
) -> LookupTable | None:
    """The levels of an image; None where a table would not pay.

    Args:
        stored: (height, width).
        padding: Tells which of some values are padding; None if there is none.
    """
    whole = stored.dtype.kind in "iu" and stored.itemsize <= 2
    if not whole or stored.ndim != 2 or stored.size < FEWEST_PIXELS:
        return None
    around = padding(stored)
    inside = stored if around is None or not around.any() else stored[~around]
    if not inside.size:
        return None
    values = np.arange(int(inside.min()), int(inside.max()) + 1).astype(stored.dtype)
    if around is not None:
        values = values[~padding(values)]  # type: ignore[operator]
        # All padding is the same to what follows: one value stands for it.
        values = np.append(values, stored[around][:1])
    return LookupTable(stored, inside, values[None])


def _kinds(values: Array) -> int:
    return int(256**values.itemsize)


def _places(values: Array) -> Array:
    """Values as positions in a table: negative ones stand behind the others."""
    return values.view(values.dtype.str.replace("i", "u"))
