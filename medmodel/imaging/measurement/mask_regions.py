"""Connected regions of a mask: contours along the edges of pixels, area, diameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medmodel.imaging.measurement.map_regions import (
    longest_diameter,
    perpendicular_diameter,
)
from medmodel.imaging.measurement.shapes import PixelSize, Shape, length

Area = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
_MOST_POINTS = 1000
"""Corners of a contour from which diameters are taken; of more, every n-th."""


@dataclass(frozen=True)
class MaskRegion:
    """One connected region; points are in pixels of the mask.

    Args:
        contours: Polygons along the edges of its pixels: around it, then around each
            of its holes.
        pixels: How many belong to it; those of its holes do not.
        longest: Both ends of its longest diameter.
        perpendicular: Both ends of the longest diameter at right angles to that.
    """

    contours: tuple[Shape, ...]
    pixels: int
    longest: Shape
    perpendicular: Shape

    def area(self, size: PixelSize) -> float:
        """In the square of the unit of a pixel's size."""
        return self.pixels * size.row * size.column

    def diameters(self, size: PixelSize) -> tuple[float, float]:
        """The longest and the perpendicular one, in the unit of a pixel's size."""
        return length(self.longest, size), length(self.perpendicular, size)


def mask_regions(mask: Area, most: int = 20) -> list[MaskRegion]:
    """The largest connected regions of a mask, the largest first.

    Pixels that touch at a corner belong to one region.

    Args:
        mask: (height, width).
        most: How many regions at most.
    """
    from scipy.ndimage import find_objects, label

    numbers, count = label(mask, np.ones((3, 3), bool))
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    boxes = find_objects(numbers)
    regions = []
    for place in np.argsort(-sizes, kind="stable")[:most]:
        rows, columns = boxes[place]
        part = numbers[rows, columns] == place + 1
        offset = np.array([columns.start, rows.start], float)
        regions.append(_region(part, offset, int(sizes[place])))
    return regions


def region_count(mask: Area) -> int:
    """How many connected regions a mask has, counted as in `mask_regions`.

    Args:
        mask: (height, width).
    """
    from scipy.ndimage import label

    return int(label(mask, np.ones((3, 3), bool))[1])


def _region(area: Area, offset: Points, pixels: int) -> MaskRegion:
    loops = [loop + offset for loop in contours(area)]
    outer = loops[0]
    corners = outer[:: -(-len(outer) // _MOST_POINTS)]
    longest = longest_diameter(corners)
    return MaskRegion(
        contours=tuple(_polygon(loop) for loop in loops),
        pixels=pixels,
        longest=_line(longest),
        perpendicular=_line(perpendicular_diameter(corners, longest)),
    )


def contours(area: Area) -> list[Points]:
    """Closed lines along the edges of pixels between inside and outside.

    Args:
        area: (height, width), one region.

    Returns:
        (n, 2) corners (x, y) of each, the one around the region first. Pixel (row,
        column) lies between x = column and column + 1, y = row and row + 1.
    """
    following = _edges(area)
    loops: list[Points] = []
    while following:
        start = min(following, key=lambda corner: (corner[1], corner[0]))
        loops.append(_trace(start, following))
    return loops


_Corner = tuple[int, int]


def _edges(area: Area) -> dict[_Corner, list[_Corner]]:
    """Corner -> the next corners, with the inside on the right."""
    padded = np.pad(area, 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        # Outside on that side; from and to, as (x, y) from a pixel's corner.
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    following: dict[_Corner, list[_Corner]] = {}
    for beside, start, end in sides:
        for y, x in zip(*np.nonzero(inside & ~beside), strict=True):
            corner = int(x) + start[0], int(y) + start[1]
            other = int(x) + end[0], int(y) + end[1]
            following.setdefault(corner, []).append(other)
    return following


def _trace(start: _Corner, following: dict[_Corner, list[_Corner]]) -> Points:
    """One closed line, taken out of the edges; corners where it goes straight on go."""
    line, at, heading = [start], start, (1, 0)
    while True:
        choices = following[at]
        # Where two pixels touch at a corner, left leads on around both.
        left = at[0] + heading[1], at[1] - heading[0]
        chosen = left if len(choices) > 1 and left in choices else choices[0]
        choices.remove(chosen)
        if not choices:
            del following[at]
        step = chosen[0] - at[0], chosen[1] - at[1]
        if step == heading and len(line) > 1:
            line[-1] = chosen
        else:
            line.append(chosen)
        at, heading = chosen, step
        if at == start and at not in following:
            return np.array(line[:-1], float)


def _polygon(points: Points) -> Shape:
    return Shape("polygon", tuple((float(x), float(y)) for x, y in points))


def _line(points: Points) -> Shape:
    return Shape("line", tuple((float(x), float(y)) for x, y in points))
