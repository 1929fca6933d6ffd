"""Line charts within the unit square, as the template `unit_square.svg` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
_LEFT, _TOP, _SIDE = 48, 12, 260
"""Where the frame lies in the template, in pixels."""


@dataclass(frozen=True)
class Line:
    """A line within the unit square.

    Args:
        x: In [0, 1], shape `(n,)`.
        y: In [0, 1], shape `(n,)`.
        colour: As in CSS.
        dotted: Whether it is only there to compare with.
        marked: Whether its points are marked.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    dotted: bool = False
    marked: bool = False

    @property
    def points(self) -> list[Point]:
        """Its points in pixels."""
        return _pixels(self.x, self.y)


@dataclass(frozen=True)
class UnitSquare:
    """A figure with both axes from 0 to 1.

    Args:
        lines: Drawn in this order.
        title: What it shows; also for those who cannot see it.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        band: A polygon behind the lines, as from `band_points`.
    """

    lines: Sequence[Line]
    title: str
    x_title: str
    y_title: str
    band: Sequence[Point] = ()


def band_points(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> list[Point]:
    """The outline of a band in pixels, each of shape `(n,)`, for `UnitSquare`."""
    return _pixels(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))


def _pixels(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> list[Point]:
    left = (_LEFT + _SIDE * xs).round(1).tolist()
    top = (_TOP + _SIDE * (1 - ys)).round(1).tolist()
    return list(zip(left, top, strict=True))
